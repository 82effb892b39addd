//! Client groups of others: known by name, and not to be had.

use penstock_sync::validate::Store;
use serde_json::{Value as Json, json};

use crate::hostile::{Hostile, escape, init, protocol};
use crate::support::raw::Raw;
use crate::world::{World, op, put, token, who};

/// Ada's group as somebody else would have it.
async fn taken(world: &World, user: &str, auth: Option<&str>) -> Option<Json> {
    let path = format!(
        "/sync/v51/connect?clientID=client-mine&clientGroupID=group-mine&userID={}&baseCookie=&ts=1&lmid=0&wsid=w",
        escape(user)
    );
    let mut header = json!({"initConnectionMessage": init(&put("all", &json!({"table": "note"})))});
    if let Some(auth) = auth {
        header["authToken"] = auth.into();
    }
    let mut hostile = Hostile::open(world, &path, &protocol(&header)).await.expect("the upgrade");
    let error = hostile.end().await;
    // The code with which clients that have no right are closed.
    let code = hostile.closed.as_ref().map(|frame| u16::from(frame.code));
    assert_eq!(code, Some(3000), "{error:?}");
    hostile.has_learnt_nothing();
    error
}

async fn is_not_to_be_had(world: &World) {
    for (user, auth) in [("bob", Some(token("bob"))), ("", None)] {
        let error = taken(world, user, auth.as_deref()).await.expect("an error");
        assert_eq!(error["kind"], "Unauthorized", "{error}");
        assert!(!error.to_string().contains("ada"), "{error}");
    }
}

async fn ada(world: &World, store: Store) -> Raw {
    let (who, queries) = (who("mine", "ada"), put("mine", &json!({"table": "note"})));
    let raw = Raw::connect(world.server.port(), &who, store, queries).await;
    let mut raw = raw.expect("the server accepts");
    raw.until_got(&["mine"]).await;
    raw
}

#[tokio::test]
async fn a_group_is_its_users_whatever_has_become_of_it() {
    let mut world = World::new("groups", &[]);
    let raw = ada(&world, Store::default()).await;
    // While its user is connected, who is not disturbed.
    is_not_to_be_had(&world).await;
    let mut raw = raw;
    raw.ping().await;
    // After its user has gone, and it is kept.
    raw.cut();
    world.until("it is parked", || world.metric("penstock_client_groups") == 0.0);
    is_not_to_be_had(&world).await;
    // After a server that was killed: whose it is had been saved at once.
    world.server.kill();
    world.server.start();
    is_not_to_be_had(&world).await;
    let raw = ada(&world, Store::default()).await;
    raw.cut();
    // After the state is lost: the mutations say whose it is.
    let mut raw = ada(&world, Store::default()).await;
    let ops = json!([op("insert", "note", json!({"id": "a9", "owner": "ada", "body": "x"}))]);
    let id = raw.crud(ops).await;
    raw.until("written", |session| session.store().last_mutation_id("client-mine") == id).await;
    let store = raw.cut();
    world.server.kill();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(world.folder.file(file));
    }
    world.server.start();
    // Whoever comes first.
    is_not_to_be_had(&world).await;
    let raw = ada(&world, store).await;
    raw.close().await;
    world.is_well().await;
}

#[tokio::test]
async fn mutations_are_of_the_connections_own_group() {
    let world = World::new("pushes", &[]);
    let mut raw = ada(&world, Store::default()).await;
    let ops = json!([op("insert", "note", json!({"id": "a9", "owner": "ada", "body": "x"}))]);
    let id = raw.crud(ops).await;
    raw.until("written", |session| session.store().last_mutation_id("client-mine") == id).await;
    let mut hostile = Hostile::connect(&world, "pushes", "bob", Some(&token("bob"))).await;
    hostile.say(&init(&json!([])).to_string()).await;
    let mutation = json!({"type": "crud", "id": 2, "clientID": "client-mine", "name": "_zero_crud",
        "args": [{"ops": []}], "timestamp": 1});
    let push = json!(["push", {"clientGroupID": "group-mine", "mutations": [mutation], "pushVersion": 1,
        "timestamp": 1, "requestID": "r"}]);
    hostile.say(&push.to_string()).await;
    assert_eq!(hostile.end_kind().await.as_deref(), Some("InvalidPush"));
    hostile.has_learnt_nothing();
    // Ada's next mutation is still the second.
    let id = raw.crud(json!([op("delete", "note", json!({"id": "a9"}))])).await;
    raw.until("written", |session| session.store().last_mutation_id("client-mine") == id).await;
    assert_eq!(id, 2);
    raw.close().await;
    world.is_well().await;
}

//! Messages from clients.
//!
//! They are read leniently, as members that are not known may be added by newer clients; what is needed
//! must be there and of its type.

use serde_json::{Map, Value as Json};

/// A message from a client.
#[derive(Clone, Debug, PartialEq)]
pub enum Upstream {
    /// The first message: what the client wants, and its tables if its store is empty.
    InitConnection(Box<InitConnection>),
    /// What the client wants from now on.
    ChangeDesiredQueries(Vec<DesiredOp>),
    /// Is anybody there?
    Ping,
    /// Mutations.
    Push(Box<Push>),
    /// A new token.
    UpdateAuth(Option<String>),
    /// Clients of the group that are no more.
    DeleteClients(Vec<String>),
    /// Results of failed mutations that the client has seen, up to an id.
    AckMutationResponses {
        /// Whose mutations.
        client_id: String,
        /// Up to which.
        id: u64,
    },
    /// A request for debugging.
    Inspect {
        /// To be sent back with the answer.
        id: Json,
    },
    /// What needs no answer: `pull`, `closeConnection`.
    Ignored,
}

/// The body of `initConnection`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InitConnection {
    /// What the client wants.
    pub desired: Vec<DesiredOp>,
    /// The client's tables; there only if its store is empty.
    pub schema: Option<Json>,
    /// Clients of the group that are no more.
    pub deleted_clients: Vec<String>,
    /// The clients of the group that are open; `None` if the client does not say.
    pub active_clients: Option<Vec<String>>,
    /// The endpoint for mutations that the client asks for.
    pub push_url: Option<String>,
    /// The endpoint for queries that the client asks for.
    pub query_url: Option<String>,
    /// Headers for the endpoint for mutations.
    pub push_headers: Map<String, Json>,
    /// Headers for the endpoint for queries.
    pub query_headers: Map<String, Json>,
}

/// A change of what a client wants.
#[derive(Clone, Debug, PartialEq)]
pub enum DesiredOp {
    /// It wants a query, under a name that it gives it.
    Put {
        /// The name.
        hash: String,
        /// How long the query is kept once it is not wanted any more, in milliseconds.
        ttl: f64,
        /// The query.
        what: Wanted,
    },
    /// It does not want it any more.
    Del(String),
    /// It wants nothing any more.
    Clear,
}

/// A query, as a client states it.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// Outright.
    Ast(Json),
    /// By its name in the application, which says what it means.
    Named {
        /// The name.
        name: String,
        /// Its arguments.
        args: Vec<Json>,
    },
}

/// Mutations of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Push {
    /// The group.
    pub group_id: String,
    /// The mutations, in order.
    pub mutations: Vec<Mutation>,
    /// The body as it came.
    pub body: Json,
}

/// A mutation.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// Whose.
    pub client_id: String,
    /// 1, 2, 3, … for each client.
    pub id: u64,
    /// Whether the server carries it out itself, else the application does.
    pub is_crud: bool,
    /// The mutator.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Json>,
}

impl Upstream {
    /// Reads a frame.
    ///
    /// # Errors
    /// What of it is not as it should be, for people.
    pub fn parse(text: &str) -> Result<Upstream, String> {
        let json = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        Upstream::from_json(&json)
    }

    /// Reads a message.
    ///
    /// # Errors
    /// As [`parse`](Upstream::parse).
    pub fn from_json(json: &Json) -> Result<Upstream, String> {
        let (kind, body) = match json.as_array().map(Vec::as_slice) {
            Some([Json::String(kind), body, ..]) => (kind.as_str(), body),
            _ => return Err("a message is [type, body]".to_owned()),
        };
        if kind == "closeConnection" {
            // Its body is a list.
            return Ok(Upstream::Ignored);
        }
        let body = body.as_object().ok_or_else(|| format!("the body of {kind} is no object"))?;
        let message = match kind {
            "initConnection" => Upstream::InitConnection(Box::new(init(body)?)),
            "changeDesiredQueries" => Upstream::ChangeDesiredQueries(desired(body)?),
            "ping" => Upstream::Ping,
            "push" => Upstream::Push(Box::new(push(body)?)),
            "updateAuth" => {
                let auth = body.get("auth").and_then(Json::as_str);
                Upstream::UpdateAuth(auth.filter(|auth| !auth.is_empty()).map(str::to_owned))
            }
            "deleteClients" => Upstream::DeleteClients(texts(body.get("clientIDs"))),
            "ackMutationResponses" => Upstream::AckMutationResponses {
                client_id: text(body, "clientID")?,
                id: id(body, "id")?,
            },
            "inspect" => Upstream::Inspect { id: body.get("id").cloned().unwrap_or(Json::Null) },
            "pull" => Upstream::Ignored,
            _ => return Err(format!("there are no messages of type \"{kind}\"")),
        };
        Ok(message)
    }
}

type Object = Map<String, Json>;

fn text(object: &Object, name: &str) -> Result<String, String> {
    let text = object.get(name).and_then(Json::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("{name} is missing or no text"))
}

fn id(object: &Object, name: &str) -> Result<u64, String> {
    let number =
        object.get(name).and_then(Json::as_f64).filter(|id| id.fract() == 0.0 && *id >= 0.0);
    number.map(|id| id as u64).ok_or_else(|| format!("{name} is missing or no whole number"))
}

fn texts(json: Option<&Json>) -> Vec<String> {
    let items = json.and_then(Json::as_array).into_iter().flatten();
    items.filter_map(Json::as_str).map(str::to_owned).collect()
}

fn init(body: &Object) -> Result<InitConnection, String> {
    let deleted = body.get("deleted").and_then(|deleted| deleted.get("clientIDs"));
    let optional = |name: &str| body.get(name).and_then(Json::as_str).map(str::to_owned);
    let headers =
        |name: &str| body.get(name).and_then(Json::as_object).cloned().unwrap_or_default();
    Ok(InitConnection {
        desired: desired(body)?,
        schema: body.get("clientSchema").filter(|schema| !schema.is_null()).cloned(),
        deleted_clients: texts(deleted),
        active_clients: body.get("activeClients").map(|clients| texts(Some(clients))),
        push_url: optional("userPushURL"),
        query_url: optional("userQueryURL"),
        push_headers: headers("userPushHeaders"),
        query_headers: headers("userQueryHeaders"),
    })
}

fn desired(body: &Object) -> Result<Vec<DesiredOp>, String> {
    let ops = body.get("desiredQueriesPatch").and_then(Json::as_array);
    let ops = ops.ok_or("desiredQueriesPatch is missing or no array")?;
    ops.iter().map(desired_op).collect()
}

/// How long a query is kept that says nothing of it, in milliseconds.
const TTL_DEFAULT: f64 = 300_000.0;

fn desired_op(json: &Json) -> Result<DesiredOp, String> {
    let object = json.as_object().ok_or("an entry of desiredQueriesPatch is no object")?;
    match object.get("op").and_then(Json::as_str) {
        Some("put") => {
            let named = object.get("name").and_then(Json::as_str);
            let what = match (object.get("ast"), named) {
                (Some(ast), _) if ast.is_object() => Wanted::Ast(ast.clone()),
                (_, Some(name)) => {
                    let args = object.get("args").and_then(Json::as_array);
                    Wanted::Named { name: name.to_owned(), args: args.cloned().unwrap_or_default() }
                }
                _ => return Err("a query has neither ast nor name".to_owned()),
            };
            let ttl = object.get("ttl").and_then(Json::as_f64).unwrap_or(TTL_DEFAULT);
            Ok(DesiredOp::Put { hash: text(object, "hash")?, ttl, what })
        }
        Some("del") => Ok(DesiredOp::Del(text(object, "hash")?)),
        Some("clear") => Ok(DesiredOp::Clear),
        op => Err(format!("desiredQueriesPatch has no op {op:?}")),
    }
}

fn push(body: &Object) -> Result<Push, String> {
    let mutations = body.get("mutations").and_then(Json::as_array);
    let mutations = mutations.ok_or("mutations is missing or no array")?;
    Ok(Push {
        group_id: text(body, "clientGroupID")?,
        mutations: mutations.iter().map(mutation).collect::<Result<_, _>>()?,
        body: Json::Object(body.clone()),
    })
}

fn mutation(json: &Json) -> Result<Mutation, String> {
    let object = json.as_object().ok_or("a mutation is no object")?;
    let args = object.get("args").and_then(Json::as_array);
    Ok(Mutation {
        client_id: text(object, "clientID")?,
        id: id(object, "id")?,
        is_crud: object.get("type").and_then(Json::as_str) == Some("crud"),
        name: text(object, "name")?,
        args: args.cloned().ok_or("args is missing or no array")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let parse = |text| Upstream::parse(text).expect(text);
        assert_eq!(parse(r#"["ping",{}]"#), Upstream::Ping);
        assert_eq!(parse(r#"["updateAuth",{"auth":""}]"#), Upstream::UpdateAuth(None));
        let put = parse(
            r#"["changeDesiredQueries",{"desiredQueriesPatch":[
                {"op":"put","hash":"h","ttl":0,"name":"open","args":[1]},{"op":"del","hash":"g"}]}]"#,
        );
        let named = Wanted::Named { name: "open".into(), args: vec![1.into()] };
        let put_h = DesiredOp::Put { hash: "h".into(), ttl: 0.0, what: named };
        let expected = vec![put_h, DesiredOp::Del("g".into())];
        assert_eq!(put, Upstream::ChangeDesiredQueries(expected));
        let push = parse(
            r#"["push",{"clientGroupID":"g","mutations":[
                {"type":"crud","id":3,"clientID":"c","name":"_zero_crud","args":[{"ops":[]}],"timestamp":1.5}],
                "pushVersion":1,"timestamp":1,"requestID":"r"}]"#,
        );
        let Upstream::Push(push) = push else { panic!("{push:?}") };
        assert_eq!((push.mutations[0].id, push.mutations[0].is_crud), (3, true));
        assert_eq!(push.body["requestID"], "r");
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for text in [
            "",
            "{}",
            "[]",
            r#"["ping"]"#,
            r#"["dance",{}]"#,
            r#"["push",{"clientGroupID":"g"}]"#,
            r#"["push",{"clientGroupID":"g","mutations":[{"id":-1,"clientID":"c","name":"n","args":[]}]}]"#,
            r#"["changeDesiredQueries",{}]"#,
            r#"["changeDesiredQueries",{"desiredQueriesPatch":[{"op":"put","hash":"h"}]}]"#,
        ] {
            assert!(Upstream::parse(text).is_err(), "{text}");
        }
    }
}

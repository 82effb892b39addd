use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;

use super::node::{Inner, Leaf, Node, key_bytes_max};
use super::{PackedTree, Root};

/// Small nodes, so that few entries make a high tree.
type Small = PackedTree<u32, 4>;
type Model = BTreeMap<Vec<u8>, u32>;

/// Asserts what the tree relies on; returns the height and the number of entries.
fn check_node<const N: usize>(node: &Node<u32, N>, low: &[u8], high: Option<&[u8]>) -> [usize; 2] {
    match node {
        Node::Leaf(leaf) => [0, check_leaf(leaf, low, high)],
        Node::Inner(inner) => check_inner(inner, low, high),
    }
}

fn check_leaf<const N: usize>(leaf: &Leaf<u32, N>, low: &[u8], high: Option<&[u8]>) -> usize {
    leaf.keys.check();
    assert_eq!(leaf.keys.len(), leaf.values.len());
    assert!(leaf.values.len() <= N);
    assert!(leaf.values.capacity() <= leaf.values.len() * 3 / 2 + 4);
    assert!(leaf.keys.first().is_none_or(|first| low <= first));
    assert!(leaf.keys.last().is_none_or(|last| high.is_none_or(|high| last < high)));
    leaf.values.len()
}

fn check_inner<const N: usize>(
    inner: &Inner<u32, N>,
    low: &[u8],
    high: Option<&[u8]>,
) -> [usize; 2] {
    inner.keys.check();
    let children = inner.children.len();
    assert_eq!(inner.keys.len() + 1, children);
    assert!((2..=N).contains(&children));
    let mut counts = Vec::new();
    for (at, child) in inner.children.iter().enumerate() {
        let low = if at == 0 { low } else { inner.keys.get(at - 1) };
        let high = if at + 1 == children { high } else { Some(inner.keys.get(at)) };
        counts.push(check_node(child, low, high));
    }
    assert!(counts.iter().all(|[height, entries]| *height == counts[0][0] && *entries > 0));
    [counts[0][0] + 1, counts.iter().map(|[_, entries]| entries).sum()]
}

fn check<const N: usize>(tree: &PackedTree<u32, N>) -> usize {
    match &tree.root {
        Root::Leaf(leaf) => {
            check_leaf(leaf, &[], None);
            0
        }
        Root::Inner(tall) => {
            let [height, entries] = check_inner(&tall.root, &[], None);
            assert_eq!(entries, tall.len);
            height
        }
    }
}

fn assert_same<const N: usize>(tree: &PackedTree<u32, N>, model: &Model) {
    assert_eq!(tree.len(), model.len());
    assert!(tree.iter().map(|(key, value)| (key, *value)).eq(entries(model)));
    assert!(tree.iter().rev().map(|(key, value)| (key, *value)).eq(entries(model).rev()));
    assert_eq!(tree.first_key(), model.keys().next().map(Vec::as_slice));
    assert_eq!(tree.last_key(), model.keys().next_back().map(Vec::as_slice));
}

fn entries(model: &Model) -> impl DoubleEndedIterator<Item = (&[u8], u32)> {
    model.iter().map(|(key, value)| (key.as_slice(), *value))
}

/// Keys that collide, share prefixes of any length, and may be empty or long.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let short = vec(prop_oneof![Just(0), Just(1), Just(255), any::<u8>()], 0..4);
    let shared = (0..20_usize, vec(any::<u8>(), 0..12)).prop_map(|(shared, tail)| {
        let mut key = vec![7; shared];
        key.extend(tail);
        key
    });
    let fixed = any::<u8>().prop_map(|at| [vec![3; 9], vec![0, 0, at], vec![3; 9]].concat());
    let long = (any::<u8>(), 100..300_usize).prop_map(|(byte, length)| vec![byte; length]);
    prop_oneof![4 => short, 4 => shared, 6 => fixed, 1 => long]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<u8>),
    InsertNew(Vec<u8>),
    Remove(Vec<u8>),
    /// Of the entry at a rank, modulo the length.
    RemoveAt(usize),
    Rekey(usize, Vec<u8>),
    PopLast,
    Update(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => key().prop_map(Step::Insert),
        2 => key().prop_map(Step::InsertNew),
        2 => key().prop_map(Step::Remove),
        4 => any::<usize>().prop_map(Step::RemoveAt),
        4 => (any::<usize>(), key()).prop_map(|(at, key)| Step::Rekey(at, key)),
        1 => Just(Step::PopLast),
        1 => key().prop_map(Step::Update),
    ]
}

fn nth_key(model: &Model, at: usize) -> Option<Vec<u8>> {
    model.keys().nth(at.checked_rem(model.len())?).cloned()
}

fn apply<const N: usize>(tree: &mut PackedTree<u32, N>, model: &mut Model, step: Step, value: u32) {
    match step {
        Step::Insert(key) => assert_eq!(tree.insert(&key, value), model.insert(key, value)),
        Step::InsertNew(key) => {
            assert_eq!(tree.insert_new(&key, value).is_err(), model.contains_key(&key));
            model.entry(key).or_insert(value);
        }
        Step::Remove(key) => assert_eq!(tree.remove(&key), model.remove(&key)),
        Step::RemoveAt(at) => {
            let Some(key) = nth_key(model, at) else { return };
            assert_eq!(tree.remove(&key), model.remove(&key));
        }
        Step::Rekey(at, to) => {
            let from = nth_key(model, at).unwrap_or_default();
            assert_eq!(tree.rekey(&from, &to, value), model.remove(&from));
            model.insert(to, value);
        }
        Step::PopLast => {
            let popped = tree.pop_last().map(|(key, value)| (key.to_vec(), value));
            assert_eq!(popped, model.pop_last());
        }
        Step::Update(key) => {
            let found = tree.get_mut(&key);
            assert_eq!(found.is_some(), model.contains_key(&key));
            if let (Some(stored), Some(known)) = (found, model.get_mut(&key)) {
                (*stored, *known) = (value, value);
            }
        }
    }
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![
        3 => key().prop_map(Bound::Included),
        3 => key().prop_map(Bound::Excluded),
        1 => Just(Bound::Unbounded),
    ]
}

fn above(bound: &Bound<Vec<u8>>, key: &[u8]) -> bool {
    match bound {
        Bound::Included(low) => key >= low.as_slice(),
        Bound::Excluded(low) => key > low.as_slice(),
        Bound::Unbounded => true,
    }
}

fn below(bound: &Bound<Vec<u8>>, key: &[u8]) -> bool {
    match bound {
        Bound::Included(high) => key <= high.as_slice(),
        Bound::Excluded(high) => key < high.as_slice(),
        Bound::Unbounded => true,
    }
}

/// The low and the high end of a range.
type Ends = (Bound<Vec<u8>>, Bound<Vec<u8>>);

fn check_reads<const N: usize>(model: &Model, bounds: &[Ends], turns: u64) {
    let tree: PackedTree<u32, N> = PackedTree::from_sorted(entries(model));
    check(&tree);
    assert_same(&tree, model);
    assert!(
        (0..=model.len()).all(|rank| tree.key_at(rank) == entries(model).nth(rank).map(|e| e.0))
    );
    for (low, high) in bounds {
        let expected: Vec<_> =
            entries(model).filter(|(key, _)| above(low, key) && below(high, key)).collect();
        let (low, high) = (low.as_ref().map(Vec::as_slice), high.as_ref().map(Vec::as_slice));
        let range = || tree.range((low, high)).map(|(key, value)| (key, *value));
        assert!(range().eq(expected.iter().copied()));
        assert!(range().rev().eq(expected.iter().copied().rev()));
        let (mut ours, mut theirs) = (range(), expected.iter().copied());
        for turn in 0..=expected.len() {
            match turns >> (turn % 64) & 1 {
                0 => assert_eq!(ours.next(), theirs.next()),
                _ => assert_eq!(ours.next_back(), theirs.next_back()),
            }
        }
    }
    assert!(model.keys().all(|key| tree.get(key) == model.get(key)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn changes_are_those_of_an_ordered_map(steps in vec(step(), 0..150)) {
        let (mut small, mut usual, mut model) = (Small::new(), PackedTree::new(), Model::new());
        let mut other = Model::new();
        for (at, step) in steps.into_iter().enumerate() {
            apply(&mut small, &mut model, step.clone(), at as u32);
            check(&small);
            apply::<64>(&mut usual, &mut other, step, at as u32);
            check(&usual);
        }
        assert_same(&small, &model);
        assert_same(&usual, &other);
    }

    #[test]
    fn reads_are_those_of_an_ordered_map(
        model in proptest::collection::btree_map(key(), any::<u32>(), 0..200),
        bounds in vec((bound(), bound()), 1..12),
        turns in any::<u64>(),
    ) {
        check_reads::<4>(&model, &bounds, turns);
        check_reads::<7>(&model, &bounds, turns);
        check_reads::<64>(&model, &bounds, turns);
    }
}

/// A stream of numbers without order.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// A key like those of an index: a flag, a time and a number, each with a tag.
fn index_key(flag: u64, time: u64, number: u64) -> Vec<u8> {
    let part = |value: u64| [&[3][..], &(value as f64).to_bits().to_be_bytes()].concat();
    [vec![flag as u8], part(time), part(number)].concat()
}

#[test]
fn a_long_run_of_edits_keeps_the_invariants() {
    let mut next = numbers(1);
    let (mut tree, mut model) = (PackedTree::<u32, 5>::new(), Model::new());
    let mut heights = Vec::new();
    for at in 0..20_000_u32 {
        // It grows, shrinks to almost nothing, and grows again.
        let growing = at / 4_000 % 2 == 0;
        let key = index_key(next() % 2, next() % 900, next() % 3);
        let step = match (growing, next() % 10) {
            (_, 0) => Step::Rekey(next() as usize, key),
            (true, 1..=8) | (false, 1) => Step::Insert(key),
            _ => Step::RemoveAt(next() as usize),
        };
        apply(&mut tree, &mut model, step, at);
        heights.push(check(&tree));
        if at % 500 == 0 {
            assert_same(&tree, &model);
        }
    }
    assert!(heights.iter().max() >= Some(&4), "{:?}", heights.iter().max());
    while tree.pop_last().is_some() {
        check(&tree);
    }
    assert!(tree.is_empty() && tree.iter().next().is_none());
}

#[test]
fn ordered_loads_fill_their_nodes() {
    let key = |at: u32| at.to_be_bytes();
    let mut up = PackedTree::<u32>::new();
    let mut down = PackedTree::<u32>::new();
    for at in 0..10_000 {
        assert_eq!(up.insert(&key(at), at), None);
        assert_eq!(down.insert(&key(10_000 - at), at), None);
    }
    let dense = PackedTree::<u32>::from_sorted((0..10_000).map(|at| (key(at), at)));
    for tree in [&up, &down, &dense] {
        check(tree);
        assert!(tree.bytes() < 10_000 * (4 + 6 + 4) * 12 / 10, "{}", tree.bytes());
    }
}

#[test]
fn random_edits_leave_little_room_unused() {
    let mut next = numbers(5);
    let entries = 20_000;
    let payload = entries * (19 + 6 + size_of::<u64>());
    let mut keys: Vec<_> = (0..entries as u64).map(|id| index_key(id % 2, id, id)).collect();
    keys.sort();
    let mut tree = PackedTree::<u64>::from_sorted(keys.iter().map(|key| (key, 0)));
    assert!(tree.bytes() < payload * 11 / 10, "{} of {payload}", tree.bytes());
    for at in 0..100_000 {
        let id = next() as usize % entries;
        let key = index_key(next() % 2, next() % 1_000_000, at);
        assert!(tree.rekey(&keys[id], &key, at).is_some());
        keys[id] = key;
    }
    assert_eq!(tree.len(), entries);
    assert!(tree.bytes() < payload * 7 / 5, "{} of {payload}", tree.bytes());
}

#[test]
fn a_few_entries_take_little_room() {
    let mut tree = PackedTree::<u64>::new();
    assert_eq!(tree.bytes(), 0);
    for at in 0..16_u64 {
        tree.insert(&index_key(1, at, at), at);
        let payload = (at as usize + 1) * (19 + 6 + size_of::<u64>());
        assert!(tree.bytes() <= payload * 5 / 4 + 16, "{} of {payload}", tree.bytes());
    }
    for at in 0..16_u64 {
        assert_eq!(tree.remove(&index_key(1, at, at)), Some(at));
    }
    assert!(tree.bytes() <= 128, "{}", tree.bytes());
}

#[test]
fn keys_may_be_larger_than_nodes() {
    let sizes = [0, 1, 70_000, 65_535, 65_536, 3, 1 << 20, key_bytes_max(64), 40_000, 40_000];
    let key = |at: usize| {
        let mut key = vec![9; sizes[at % sizes.len()]];
        key.extend((at as u32).to_be_bytes());
        key
    };
    let (mut tree, mut model) = (PackedTree::<u32>::new(), Model::new());
    for at in 0..60 {
        apply(&mut tree, &mut model, Step::Insert(key(at * 7 % 60)), at as u32);
        check(&tree);
    }
    assert_same(&tree, &model);
    for at in 0..60 {
        let step = if at % 3 == 0 { Step::Rekey(at, key(at + 60)) } else { Step::Remove(key(at)) };
        apply(&mut tree, &mut model, step, at as u32);
        check(&tree);
    }
    assert_same(&tree, &model);
}

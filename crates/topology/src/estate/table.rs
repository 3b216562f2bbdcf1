//! Resources of one kind by key, in chunks that copies share: a copy costs a pointer, an edit the chunk that it is made in, and two
//! tables are compared by the chunks that they do not share.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::id::ApiId;

/// Resources of a chunk. Ours: with it an edit of 10,000 resources copies some 300 pointers. One that would hold more is halved.
const CHUNK_MAX: usize = 64;

/// What a table holds, and whose it is: an API's own resources are found without a look at those of others.
pub trait PartOf {
    /// The API that it is a part of.
    fn api(&self) -> Option<ApiId>;
}

/// Resources of one kind by key.
pub struct Table<K, V> {
    /// In key order, and none of them empty.
    chunks: Arc<Vec<Chunk<K, V>>>,
}

type Chunk<K, V> = Arc<Vec<Entry<K, V>>>;

struct Entry<K, V> {
    key: K,
    api: Option<ApiId>,
    value: Arc<V>,
}

impl<K: Clone, V> Clone for Entry<K, V> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), api: self.api, value: Arc::clone(&self.value) }
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { chunks: Arc::default() }
    }
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks) }
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries().map(|entry| (&entry.key, &entry.value))).finish()
    }
}

/// Where the chunks end says nothing.
impl<K: PartialEq, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let pairs = |table| Table::entries(table).map(|entry: &Entry<K, V>| (&entry.key, &entry.value));
        self.is_same(other) || pairs(self).eq(pairs(other))
    }
}

impl<K, V> Table<K, V> {
    fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry<K, V>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Every resource, in key order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<V>> {
        self.entries().map(|entry| &entry.value)
    }

    /// Every key and resource, in key order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &Arc<V>)> {
        self.entries().map(|entry| (&entry.key, &entry.value))
    }

    /// Every resource of an API, in key order.
    pub fn of(&self, api: ApiId) -> impl DoubleEndedIterator<Item = &Arc<V>> {
        self.of_those(move |other| other == api)
    }

    /// Every resource of these APIs, in key order.
    pub fn of_those(&self, is_asked: impl Fn(ApiId) -> bool) -> impl DoubleEndedIterator<Item = &Arc<V>> {
        self.entries().filter(move |entry| entry.api.is_some_and(&is_asked)).map(|entry| &entry.value)
    }

    /// The keys of every resource of an API, in order.
    pub fn keys_of(&self, api: ApiId) -> impl DoubleEndedIterator<Item = &K> {
        self.entries().filter(move |entry| entry.api == Some(api)).map(|entry| &entry.key)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether neither was edited since they were one. Two that are not the same may be equal all the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }

    /// The entries of the chunks that another table does not share.
    fn unshared<'a>(&'a self, other: &Self) -> impl Iterator<Item = &'a Entry<K, V>> {
        let shared: HashSet<_> = other.chunks.iter().map(Arc::as_ptr).collect();
        self.chunks.iter().filter(move |chunk| !shared.contains(&Arc::as_ptr(chunk))).flat_map(|chunk| chunk.iter())
    }
}

impl<K: Clone, V> Table<K, V> {
    /// The resources that are to be kept, which both tables share.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&K, &V) -> bool) -> Self {
        let kept: Vec<Entry<K, V>> = self.entries().filter(|entry| keep(&entry.key, &entry.value)).cloned().collect();
        let mut left = kept.into_iter();
        let chunks = std::iter::from_fn(|| {
            let chunk: Vec<_> = left.by_ref().take(CHUNK_MAX).collect();
            (!chunk.is_empty()).then(|| Arc::new(chunk))
        });
        Self { chunks: Arc::new(chunks.collect()) }
    }
}

impl<K: Ord, V> Table<K, V> {
    /// The chunk that this key belongs to, if there is any, and the key's place in it, or where it would be.
    fn place(&self, key: &K) -> (usize, Result<usize, usize>) {
        let ends_before = |chunk: &Chunk<K, V>| chunk.last().is_some_and(|last| last.key < *key);
        let at = self.chunks.partition_point(ends_before).min(self.chunks.len().saturating_sub(1));
        let within = |chunk: &Chunk<K, V>| chunk.binary_search_by(|entry| entry.key.cmp(key));
        (at, self.chunks.get(at).map_or(Err(0), within))
    }

    fn entry(&self, key: &K) -> Option<&Entry<K, V>> {
        let (at, within) = self.place(key);
        self.chunks.get(at)?.get(within.ok()?)
    }

    /// The resource of this key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Arc<V>> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Whether there is one.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.entry(key).is_some()
    }

    /// Every key and resource from this key on, in key order.
    pub fn from(&self, first: K) -> impl Iterator<Item = (&K, &Arc<V>)> + use<'_, K, V> {
        let (at, _) = self.place(&first);
        let chunks = self.chunks.iter().skip(at).flat_map(|chunk| chunk.iter());
        chunks.skip_while(move |entry| entry.key < first).map(|entry| (&entry.key, &entry.value))
    }

    /// The keys whose resource is new, other or gone in `later`, in key order: `None` for gone.
    pub fn changes<'a>(&'a self, later: &'a Self) -> Vec<(&'a K, Option<&'a Arc<V>>)> {
        let mut changes = Vec::new();
        if self.is_same(later) {
            return changes;
        }
        let (mut before, mut after) = (self.unshared(later).peekable(), later.unshared(self).peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return changes,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(before), Some(after)) => before.key.cmp(&after.key),
            };
            let was = if order.is_le() { before.next() } else { None };
            let is = if order.is_ge() { after.next() } else { None };
            match (was, is) {
                (Some(was), Some(is)) if Arc::ptr_eq(&was.value, &is.value) => {}
                (_, Some(is)) => changes.push((&is.key, Some(&is.value))),
                (Some(was), None) => changes.push((&was.key, None)),
                (None, None) => {}
            }
        }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// Puts a resource in the place of what is there.
    pub fn insert(&mut self, key: K, value: V)
    where
        V: PartOf,
    {
        let (at, within) = self.place(&key);
        let entry = Entry { api: value.api(), key, value: Arc::new(value) };
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(chunk) = chunks.get_mut(at) else { return chunks.push(Arc::new(vec![entry])) };
        let chunk = Arc::make_mut(chunk);
        match within {
            Ok(place) => {
                if let Some(there) = chunk.get_mut(place) {
                    *there = entry;
                }
            }
            Err(place) => chunk.insert(place, entry),
        }
        if chunk.len() > CHUNK_MAX {
            let half = chunk.split_off(chunk.len() / 2);
            chunks.insert(at + 1, Arc::new(half));
        }
    }

    /// Takes a resource away.
    pub fn remove(&mut self, key: &K) -> Option<Arc<V>> {
        // What is not there is taken away without a copy.
        let (at, Ok(place)) = self.place(key) else { return None };
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let gone = (place < chunk.len()).then(|| chunk.remove(place).value);
        let left = chunk.len();
        let next = chunks.get(at + 1).map_or(CHUNK_MAX, |next| next.len());
        if left == 0 {
            chunks.remove(at);
        } else if left + next <= CHUNK_MAX / 2 {
            // What is deleted bit by bit leaves no chunks of one.
            let next = chunks.remove(at + 1);
            if let Some(chunk) = chunks.get_mut(at) {
                Arc::make_mut(chunk).extend(next.iter().cloned());
            }
        }
        gone
    }

    /// The resource of this key, to be edited in place; the old copy stays with those who hold it.
    pub fn edit(&mut self, key: &K) -> Option<&mut V>
    where
        V: Clone,
    {
        // What is not there is looked for without a copy.
        let (at, Ok(place)) = self.place(key) else { return None };
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(at)?;
        Arc::make_mut(chunk).get_mut(place).map(|entry| Arc::make_mut(&mut entry.value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Thing(u32);

    impl PartOf for Thing {
        fn api(&self) -> Option<ApiId> {
            self.0.is_multiple_of(2).then(|| ApiId::from_bits(u64::from(self.0 % 4)))
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u16, u32),
        Remove(u16),
        Edit(u16),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0u16..400;
        prop_oneof![
            4 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
            3 => key.clone().prop_map(Step::Remove),
            1 => key.prop_map(Step::Edit),
        ]
    }

    fn take(step: &Step, table: &mut Table<u16, Thing>, model: &mut BTreeMap<u16, Thing>) {
        match *step {
            Step::Insert(key, value) => {
                table.insert(key, Thing(value));
                model.insert(key, Thing(value));
            }
            Step::Remove(key) => {
                assert_eq!(table.remove(&key).map(|gone| gone.0), model.remove(&key).map(|gone| gone.0));
            }
            Step::Edit(key) => {
                let (one, two) = (table.edit(&key), model.get_mut(&key));
                assert_eq!(one.is_some(), two.is_some());
                one.into_iter().chain(two).for_each(|thing| thing.0 ^= 4);
            }
        }
    }

    fn hold(table: &Table<u16, Thing>, model: &BTreeMap<u16, Thing>, key: u16) {
        let pairs = |(key, value): (&u16, &Arc<Thing>)| (*key, value.0);
        let all: Vec<_> = table.iter().map(pairs).collect();
        assert_eq!(all, model.iter().map(|(key, value)| (*key, value.0)).collect::<Vec<_>>());
        assert!(table.values().rev().map(|value| value.0).eq(model.values().rev().map(|value| value.0)));
        assert_eq!((table.len(), table.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(table.get(&key).map(|value| value.0), model.get(&key).map(|value| value.0));
        assert_eq!(table.contains(&key), model.contains_key(&key));
        assert!(table.from(key).map(pairs).eq(model.range(key..).map(|(key, value)| (*key, value.0))));
        assert!(table.chunks.iter().all(|chunk| (1..=CHUNK_MAX).contains(&chunk.len())));
    }

    proptest! {
        #[test]
        fn a_table_is_a_map_and_its_changes_make_one_of_the_other(
            before in proptest::collection::vec(step(), 0..600),
            after in proptest::collection::vec(step(), 0..40),
            key in 0u16..400,
        ) {
            let (mut table, mut model) = (Table::default(), BTreeMap::new());
            before.iter().for_each(|step| take(step, &mut table, &mut model));
            hold(&table, &model, key);
            let (kept, of_kept) = (table.clone(), model.clone());
            after.iter().for_each(|step| take(step, &mut table, &mut model));
            hold(&table, &model, key);
            hold(&kept, &of_kept, key);
            let (mut followed, mut of_followed) = (kept.clone(), of_kept);
            let changes = kept.changes(&table);
            prop_assert!(changes.len() <= after.len());
            for (key, value) in changes {
                match value {
                    Some(value) => take(&Step::Insert(*key, value.0), &mut followed, &mut of_followed),
                    None => take(&Step::Remove(*key), &mut followed, &mut of_followed),
                }
            }
            prop_assert_eq!(&followed, &table);
        }
    }

    #[test]
    fn what_is_an_apis_own_is_found_in_order() {
        let mut table = Table::default();
        (0..300u16).rev().for_each(|n| table.insert(n, Thing(u32::from(n))));
        let of: Vec<u32> = table.of(ApiId::from_bits(2)).map(|thing| thing.0).collect();
        assert!(of.iter().copied().eq((0..300).filter(|n| n % 4 == 2)));
    }

    #[test]
    fn an_edit_copies_one_chunk() {
        let mut table = Table::default();
        (0..10_000u32).for_each(|n| table.insert(n, Thing(n)));
        let before = table.clone();
        table.edit(&5_000).unwrap().0 = 1;
        assert!(before.unshared(&table).count() <= CHUNK_MAX);
        assert_eq!(before.changes(&table), [(&5_000, Some(&Arc::new(Thing(1))))]);
    }
}

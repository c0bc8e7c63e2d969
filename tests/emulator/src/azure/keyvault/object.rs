//! What a vault holds: objects, their versions, attributes and material.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    life::bin::{Bin, Departed, Stage},
    making::{Making, is_unfinished},
};
use crate::azure::operation::Operation;

/// The three kinds of objects in a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A secret.
    Secret,
    /// A key.
    Key,
    /// A certificate, which has a key and a secret of the same name.
    Certificate,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Key, Self::Certificate];

    /// The first part of the path: `secrets`, `keys`, `certificates`.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Key => "keys",
            Self::Certificate => "certificates",
        }
    }

    /// The singular, in lower case.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }

    /// The singular as error codes and messages begin with it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Key => "Key",
            Self::Certificate => "Certificate",
        }
    }

    pub(crate) fn from_collection(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.collection().eq_ignore_ascii_case(text))
    }

    pub(crate) fn list_operation(self) -> Operation {
        match self {
            Self::Secret => Operation::ListSecrets,
            Self::Key => Operation::ListKeys,
            Self::Certificate => Operation::ListCertificates,
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Secret => 0,
            Self::Key => 1,
            Self::Certificate => 2,
        }
    }
}

/// The attributes and tags of one version. Times have whole seconds on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Whether it may be used.
    pub enabled: bool,
    /// Not before.
    #[serde(with = "time::serde::timestamp::option")]
    pub not_before: Option<OffsetDateTime>,
    /// When it expires.
    #[serde(with = "time::serde::timestamp::option")]
    pub expires: Option<OffsetDateTime>,
    /// When it was made.
    #[serde(with = "time::serde::timestamp")]
    pub created: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::timestamp")]
    pub updated: OffsetDateTime,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// What a version keeps safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Material {
    /// The value of a secret.
    Secret {
        /// The value.
        value: String,
        /// Its content type.
        content_type: Option<String>,
    },
    /// A key. Its numbers follow from the id of the version, so they need not be kept.
    Key {
        /// `RSA`, `RSA-HSM`, `EC`, `EC-HSM`, `oct-HSM`.
        kty: String,
        /// Bits of an RSA or symmetric key.
        size: Option<u32>,
        /// The curve of an elliptic key.
        curve: Option<String>,
        /// What it may be used for.
        operations: Vec<String>,
    },
    /// A certificate. Its bytes follow from the id of the version.
    Certificate {
        /// The subject, such as `CN=example.com`.
        subject: String,
        /// The content type of its secret.
        content_type: String,
    },
}

/// One version of an object.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) attributes: Attributes,
    pub(crate) material: Material,
}

/// An object with all its versions.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// The name as it was first written.
    pub(crate) name: String,
    /// Belongs to a certificate of the same name.
    pub(crate) managed: bool,
    /// Of a certificate: the last version that was asked for, until that is forgotten.
    pub(crate) making: Option<Making>,
    /// In the order in which they came to be current.
    versions: Vec<Version>,
    by_id: BTreeMap<String, usize>,
}

impl Object {
    pub(crate) fn new(name: &str, managed: bool, first: Version) -> Self {
        let by_id = BTreeMap::from([(first.id.clone(), 0)]);
        Self { name: name.to_owned(), managed, making: None, versions: vec![first], by_id }
    }

    pub(crate) fn push(&mut self, version: Version) {
        self.by_id.insert(version.id.clone(), self.versions.len());
        self.versions.push(version);
    }

    /// Whether it is a certificate of which not even the first version is there.
    pub(crate) fn is_unfinished(&self) -> bool {
        is_unfinished(self.making.as_ref(), self.newest())
    }

    pub(crate) fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// The current version, most often the newest. An object has at least one.
    pub(crate) fn newest(&self) -> &Version {
        &self.versions[self.versions.len() - 1]
    }

    pub(crate) fn version(&self, id: &str) -> Option<&Version> {
        self.versions.get(*self.by_id.get(id)?)
    }

    pub(crate) fn version_mut(&mut self, id: Option<&str>) -> Option<&mut Version> {
        match id {
            Some(id) => self.versions.get_mut(*self.by_id.get(id)?),
            None => self.versions.last_mut(),
        }
    }

    /// Versions in the order of the service's lists: by id, which says nothing about age.
    pub(crate) fn versions_after(&self, id: &str) -> impl Iterator<Item = &Version> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.by_id.range::<str, _>((Excluded(id), Unbounded)).map(|(_, at)| &self.versions[*at])
    }
}

/// The objects of one vault, by kind and by name in capitals: names are compared without regard to case.
#[derive(Debug, Default)]
pub(crate) struct Store {
    live: [BTreeMap<String, Object>; 3],
    bin: Bin,
    /// No certificate that is being made is there before that.
    next_made: Option<OffsetDateTime>,
}

impl Store {
    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.live[kind.index()].get(&name.to_ascii_uppercase())
    }

    pub(crate) fn get_mut(&mut self, kind: Kind, name: &str) -> Option<&mut Object> {
        self.live[kind.index()].get_mut(&name.to_ascii_uppercase())
    }

    pub(crate) fn add_version(&mut self, kind: Kind, name: &str, managed: bool, version: Version) {
        let objects = &mut self.live[kind.index()];
        match objects.get_mut(&name.to_ascii_uppercase()) {
            Some(object) => object.push(version),
            None => {
                objects.insert(name.to_ascii_uppercase(), Object::new(name, managed, version));
            }
        }
    }

    /// Gives the key and the secret of a certificate its attributes. Tags are their own.
    pub(crate) fn mirror(&mut self, certificate: &str, version: &str, attributes: &Attributes) {
        for kind in [Kind::Key, Kind::Secret] {
            let twin = self.get_mut(kind, certificate).filter(|object| object.managed);
            if let Some(twin) = twin.and_then(|object| object.version_mut(Some(version))) {
                let tags = std::mem::take(&mut twin.attributes.tags);
                twin.attributes = Attributes { tags, ..attributes.clone() };
            }
        }
    }

    pub(crate) fn insert(&mut self, kind: Kind, object: Object) {
        let making = object.making.as_ref().and_then(Making::due);
        self.next_made = self.next_made.into_iter().chain(making).min();
        self.live[kind.index()].insert(object.name.to_ascii_uppercase(), object);
    }

    pub(crate) fn remove(&mut self, kind: Kind, name: &str) -> Option<Object> {
        self.live[kind.index()].remove(&name.to_ascii_uppercase())
    }

    /// What holds a name that is not live.
    pub(crate) fn departed(&self, kind: Kind, name: &str) -> Option<&Departed> {
        self.bin.get(kind, name)
    }

    /// The names that are not live and, in capitals, come after another.
    pub(crate) fn departed_after(&self, kind: Kind, name: &str) -> impl Iterator<Item = &Departed> {
        self.bin.after(kind, name)
    }

    /// Takes in what is not live any more.
    pub(crate) fn depart(&mut self, kind: Kind, departed: Departed, now: OffsetDateTime) {
        if let Some(object) = self.bin.put(kind, departed, now) {
            self.insert(kind, object);
        }
    }

    /// Brings what holds a name to its next stage.
    pub(crate) fn move_on(
        &mut self,
        kinds: &[Kind],
        name: &str,
        stage: Stage,
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) {
        for &kind in kinds {
            if let Some(departed) = self.bin.remove(kind, name) {
                self.depart(kind, Departed { stage, until, ..departed }, now);
            }
        }
    }

    /// Frees a name that is not live.
    pub(crate) fn forget(&mut self, kind: Kind, name: &str) {
        self.bin.remove(kind, name);
    }

    pub(crate) fn is_due(&self, now: OffsetDateTime) -> bool {
        self.bin.is_due(now) || self.next_made.is_some_and(|next| next <= now)
    }

    /// Does what time does to objects that are not live, and to certificates that are being made.
    pub(crate) fn settle(&mut self, now: OffsetDateTime) {
        for (kind, object) in self.bin.settle(now) {
            self.insert(kind, object);
        }
        self.end_makings(now);
        let making = self.all(Kind::Certificate).filter_map(|object| object.making.as_ref()?.due());
        self.next_made = making.min();
    }

    /// Says of a certificate what is being made of it.
    pub(crate) fn set_making(&mut self, name: &str, making: Making) {
        self.next_made = self.next_made.into_iter().chain(making.due()).min();
        if let Some(object) = self.get_mut(Kind::Certificate, name) {
            object.making = Some(making);
        }
    }

    /// Forgets what is being made of a certificate, and the certificate if that is all there is of it.
    pub(crate) fn forget_making(&mut self, name: &str) {
        let Some(object) = self.get_mut(Kind::Certificate, name) else { return };
        if object.is_unfinished() {
            self.remove(Kind::Certificate, name);
            self.remove(Kind::Key, name);
        } else {
            object.making = None;
        }
    }

    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.live[kind.index()].values()
    }

    /// The objects whose name, in capitals, comes after another.
    pub(crate) fn after(&self, kind: Kind, name: &str) -> impl Iterator<Item = &Object> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.live[kind.index()].range::<str, _>((Excluded(name), Unbounded)).map(|(_, object)| object)
    }

    pub(crate) fn len(&self, kind: Kind) -> usize {
        self.live[kind.index()].len()
    }
}

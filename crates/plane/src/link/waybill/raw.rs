//! Ids as their bytes: a note holds a dozen of them, and their texts are three times as long.

use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer, Serialize, Serializer};
use topology::id::{
    ListenerId, ListenerRuleId, LoadBalancerId, NetworkAclId, NetworkInterfaceId, RouteTableId, SecurityGroupRuleId,
    TargetGroupId,
};

/// An id that is digits alone.
pub(super) trait Digits: Copy {
    type Bytes: Serialize + DeserializeOwned;

    fn bytes(self) -> Self::Bytes;
    fn of(bytes: Self::Bytes) -> Self;
}

macro_rules! digits {
    ($($id:ident $length:literal;)*) => {$(
        impl Digits for $id {
            type Bytes = [u8; $length];

            fn bytes(self) -> [u8; $length] {
                self.to_bytes()
            }

            fn of(bytes: [u8; $length]) -> Self {
                Self::from_bytes(bytes)
            }
        }
    )*};
}

digits! {
    ListenerId 8;
    ListenerRuleId 8;
    LoadBalancerId 8;
    NetworkAclId 9;
    NetworkInterfaceId 9;
    RouteTableId 9;
    SecurityGroupRuleId 9;
    TargetGroupId 8;
}

pub(super) fn serialize<T: Digits, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
    id.bytes().serialize(serializer)
}

pub(super) fn deserialize<'de, T: Digits, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::Bytes::deserialize(deserializer).map(T::of)
}

/// One that may be missing.
pub(super) mod optional {
    use super::{Deserializer, Digits, Serialize as _, Serializer};
    use serde::Deserialize as _;

    pub(in super::super) fn serialize<T: Digits, S: Serializer>(
        id: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        id.map(T::bytes).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, T: Digits, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<T::Bytes>::deserialize(deserializer)?.map(T::of))
    }
}

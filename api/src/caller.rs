//! Who asks, and what is that caller's to see and to do. Rules only.

use hookme_shared::owner::KeyId;

use crate::keys::Key;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Anybody, where no keys are set. As nobody is told apart, everything is everybody's,
    /// also what was made with a key while there were some.
    Anybody,
    /// The holder of a key: what was made with it is its own, and nothing else.
    Client(KeyId),
    /// An operator, with a key of its own or on the operator's listener: everything.
    Operator(Option<KeyId>),
}

impl Caller {
    /// The holder of that key.
    pub(crate) fn holder(key: &Key) -> Self {
        let id = key.id.clone();
        if key.is_operator {
            Self::Operator(Some(id))
        } else {
            Self::Client(id)
        }
    }

    /// Whose the tasks are that this caller makes; nobody's without a key.
    pub(crate) fn owner(&self) -> Option<&KeyId> {
        match self {
            Self::Anybody => None,
            Self::Client(id) => Some(id),
            Self::Operator(id) => id.as_ref(),
        }
    }

    /// The only owner whose tasks this caller sees; `None` if it sees all.
    pub(crate) fn confined_to(&self) -> Option<&KeyId> {
        match self {
            Self::Client(id) => Some(id),
            Self::Anybody | Self::Operator(_) => None,
        }
    }

    /// Whether a task of that owner's exists for this caller.
    pub(crate) fn sees(&self, owner: Option<&KeyId>) -> bool {
        self.confined_to().is_none_or(|own| owner == Some(own))
    }

    /// Whether this caller may do what is the operator's.
    pub(crate) fn may_operate(&self) -> bool {
        self.confined_to().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> KeyId {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_sees_its_own_tasks_and_everybody_else_all() {
        let (own, other) = (id("own"), id("other"));
        let client = Caller::Client(own.clone());
        assert!(client.sees(Some(&own)));
        assert!(!client.sees(Some(&other)));
        assert!(!client.sees(None));
        for all in [
            Caller::Anybody,
            Caller::Operator(None),
            Caller::Operator(Some(own)),
        ] {
            assert!(all.sees(Some(&other)) && all.sees(None), "{all:?}");
        }
    }

    #[test]
    fn only_a_client_is_kept_from_what_is_the_operator_s() {
        assert!(!Caller::Client(id("own")).may_operate());
        for caller in [Caller::Anybody, Caller::Operator(None)] {
            assert!(caller.may_operate(), "{caller:?}");
        }
    }

    #[test]
    fn what_is_made_with_a_key_is_its_holder_s() {
        let own = id("own");
        for caller in [
            Caller::Client(own.clone()),
            Caller::Operator(Some(own.clone())),
        ] {
            assert_eq!(caller.owner(), Some(&own));
        }
        assert_eq!(Caller::Anybody.owner(), None);
        assert_eq!(Caller::Operator(None).owner(), None);
    }
}

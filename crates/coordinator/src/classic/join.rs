//! JoinGroup: becoming a member, or staying one in the next generation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Turn;
use super::member::{Member, bytes};
use super::state::ClassicState;
use crate::effects::{Answer, Waiter};
use crate::timers::Timer;
use crate::{Departure, GroupError, GroupId, InstanceId, MemberId, Moment, News, ProtocolName};

/// A member joins.
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// Which group.
    pub group: GroupId,
    /// The id that it was given; `None` for one that has none yet.
    pub member: Option<MemberId>,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// Its `client.id`.
    pub client_id: Arc<str>,
    /// Where it comes from.
    pub client_host: Arc<str>,
    /// Silence after which it is to be taken for dead.
    pub session_timeout: Duration,
    /// How long it may take to join again.
    pub rebalance_timeout: Duration,
    /// What it is; `consumer` for consumers.
    pub protocol_type: ProtocolName,
    /// What it can do, what it likes best first, and what it wants by each.
    pub protocols: Vec<(ProtocolName, Bytes)>,
    /// Whether one without an id is to come again with the one that it is given (version 4,
    /// KIP-394).
    pub asks_twice: bool,
    /// Whether it knows that a leader can be told to leave the assignment as it is (version 9,
    /// KIP-814).
    pub can_skip: bool,
    /// Where a new id comes from: 128 bits that nobody has had.
    pub random: u128,
}

impl JoinGroup {
    /// The id of a new member: its name, as far as a record has room for it, and what makes it
    /// unlike any other.
    pub(crate) fn new_id(&self) -> MemberId {
        let name = self.instance.as_ref().map_or(&*self.client_id, InstanceId::as_str);
        let hex = format!("{:032x}", self.random);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        let fits =
            name.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= LONGEST);
        let name = &name[..fits.last().unwrap_or(0)];
        MemberId::new(&format!("{name}-{}", parts.join("-")))
    }

    /// Bytes of the metadata of its protocols.
    pub(crate) fn bytes(&self) -> usize {
        bytes(&self.protocols)
    }

    fn member(&self, id: MemberId, waiter: Waiter) -> Member {
        Member {
            id,
            instance: self.instance.clone(),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            rebalance_timeout: self.rebalance_timeout,
            session_timeout: self.session_timeout,
            protocols: self.protocols.clone(),
            assignment: Bytes::new(),
            joining: Some(waiter),
            syncing: None,
            is_new: true,
            deadline: Moment::default(),
            armed: Moment::default(),
        }
    }

    /// Puts what the member says of itself now into what is known of it.
    pub(super) fn update(&self, member: &mut Member, waiter: Option<Waiter>) {
        member.protocols.clone_from(&self.protocols);
        member.rebalance_timeout = self.rebalance_timeout;
        member.session_timeout = self.session_timeout;
        member.joining = waiter;
    }
}

impl Turn<'_> {
    /// Answers at once, or when the round of joins ends.
    pub(crate) fn join(&mut self, join: &JoinGroup, waiter: Waiter) {
        if let Err(error) = self.try_join(join, waiter) {
            let member = join.member.clone().filter(|_| error != GroupError::GroupMaxSizeReached);
            self.out.refuse_join(waiter, error, member);
        }
    }

    fn try_join(&mut self, join: &JoinGroup, waiter: Waiter) -> Result<(), GroupError> {
        if let Err(error) = self.check_room(join.member.as_ref()) {
            self.turn_away(join);
            return Err(error);
        }
        let names = join.protocols.iter().map(|(name, _)| name);
        if !self.group.supports(&join.protocol_type, names) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        self.check_bytes(join)?;
        match &join.member {
            None if self.group.pending.len() >= self.config.max_pending => {
                return Err(GroupError::GroupMaxSizeReached);
            }
            None => self.join_new(join, waiter),
            Some(id) if self.group.pending.contains_key(id) && join.instance.is_none() => {
                self.join_as(id, join, waiter);
            }
            Some(id) => return self.join_again(id, join, waiter),
        }
        Ok(())
    }

    /// One for whom there is no room is waited for no longer; a member that comes too late, where
    /// there may be fewer now than there were, is none any more.
    fn turn_away(&mut self, join: &JoinGroup) {
        let Some(id) = &join.member else { return };
        if self.group.pending.contains_key(id) {
            self.forget_pending(id);
        } else if self.group.check_member(id, join.instance.as_ref()).is_ok() {
            self.remove_member(id, Departure::NoRoom);
        }
    }

    /// A round takes as many as there may be; a group that is in none lets its own members in.
    fn check_room(&self, id: Option<&MemberId>) -> Result<(), GroupError> {
        let member = id.and_then(|id| self.group.member(id));
        let has_room = match self.group.state() {
            ClassicState::Empty => true,
            ClassicState::PreparingRebalance => {
                member.is_some_and(|member| member.joining.is_some())
                    || self.group.waiting() < self.config.max_size
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                member.is_some() || self.group.members().len() < self.config.max_size
            }
        };
        if has_room { Ok(()) } else { Err(GroupError::GroupMaxSizeReached) }
    }

    /// The metadata of all members has a bound.
    fn check_bytes(&self, join: &JoinGroup) -> Result<(), GroupError> {
        let before = join.member.as_ref().and_then(|id| self.group.member(id)).map_or(0, Member::bytes);
        let bytes = self.group.bytes() - before + join.bytes();
        if bytes > self.config.max_bytes { Err(GroupError::MetadataTooLarge) } else { Ok(()) }
    }

    fn join_new(&mut self, join: &JoinGroup, waiter: Waiter) {
        let id = join.new_id();
        match join.instance.as_ref().and_then(|instance| self.group.static_member(instance)).cloned() {
            Some(old) => self.replace_static(&old, &id, join, waiter),
            None if join.instance.is_some() || !join.asks_twice => self.join_as(&id, join, waiter),
            None => self.ask_again(id, join, waiter),
        }
    }

    /// It is known by its id from now on, and has to come again: one that never got the answer
    /// would be waited for.
    fn ask_again(&mut self, id: MemberId, join: &JoinGroup, waiter: Waiter) {
        let until = self.now + join.session_timeout;
        self.group.pending.insert(id.clone(), until);
        self.timers.arm(until, Timer::Pending(self.group.id.clone(), id.clone()));
        self.out.refuse_join(waiter, GroupError::MemberIdRequired, Some(id));
    }

    fn join_as(&mut self, id: &MemberId, join: &JoinGroup, waiter: Waiter) {
        self.take_pending(id);
        if self.group.members().len() == 0 {
            self.group.protocol_type = Some(join.protocol_type.clone());
        }
        self.group.has_grown |= self.group.state() == ClassicState::PreparingRebalance;
        self.group.add(join.member(id.clone(), waiter));
        self.out.tell(&self.group.id, News::Joined(id.clone()));
        self.keep(id, self.config.new_member_timeout);
        self.rebalance_or_complete();
    }

    /// One that the group knows.
    fn join_again(&mut self, id: &MemberId, join: &JoinGroup, waiter: Waiter) -> Result<(), GroupError> {
        let member = self.group.check_member(id, join.instance.as_ref())?;
        let is_same = member.protocols == join.protocols;
        let leads = self.group.leader.as_ref() == Some(id);
        match self.group.state() {
            ClassicState::Empty => return Err(GroupError::UnknownMemberId),
            // It did not get the answer.
            ClassicState::CompletingRebalance if is_same => self.tell_again(id, waiter),
            // The leader comes when it sees that topics have changed.
            ClassicState::Stable if is_same && !leads => self.tell_again(id, waiter),
            ClassicState::PreparingRebalance | ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.join_round(id, join, waiter);
            }
        }
        Ok(())
    }

    fn tell_again(&mut self, id: &MemberId, waiter: Waiter) {
        let mut joined = self.group.joined(id);
        if self.group.state() == ClassicState::Stable {
            joined.members.clear();
        }
        self.out.answer(waiter, Answer::Join(Ok(joined)));
    }

    fn join_round(&mut self, id: &MemberId, join: &JoinGroup, waiter: Waiter) {
        let mut before = None;
        self.group.change(id, |member| {
            before = member.joining.take();
            join.update(member, Some(waiter));
        });
        // It asked before on another connection.
        if let Some(before) = before {
            self.out.refuse_join(before, GroupError::UnknownMemberId, Some(id.clone()));
        }
        self.rebalance_or_complete();
    }
}

/// Bytes of a name in an id: a text in a record has 32,767 at most.
const LONGEST: usize = 32_000;

//! What must come of a sequence, told of the sequence alone.

use http::Method;

use super::{Ends, Gives, Heard, Left, Sequence, text};
use crate::http::body::BodyFault;

/// What must come of a sequence, whatever its pieces.
pub(super) struct Foretold {
    /// For each request of which the service hears: what it hears and answers.
    pub(super) heard: Vec<Heard>,
    pub(super) bodies: Vec<Vec<u8>>,
    /// Whether the last answer is the engine's own, to what is no request.
    pub(super) is_refused: bool,
    /// How many answers there are at least, where the connection may end before its time: behind an early answer, or since the client
    /// went while it was waited for.
    pub(super) answers_min: Option<usize>,
    /// The first answer that may break off: the client went while it was written.
    pub(super) may_break_at: Option<usize>,
    pub(super) left: Option<Left>,
}

/// How much of the last request came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    All,
    Head,
    Nothing,
}

impl Foretold {
    /// What must come of it when so much of the last request came.
    pub(super) fn of(sequence: &Sequence, last: Came, cut_body: &[u8]) -> Self {
        let mut foretold = Self {
            heard: Vec::new(),
            bodies: Vec::new(),
            is_refused: false,
            answers_min: None,
            may_break_at: None,
            left: None,
        };
        let count = sequence.asked.len();
        let is_gone = matches!(sequence.ends, Ends::Closes | Ends::Cut(_));
        let mut stays = true;
        for (at, asked) in sequence.asked.iter().enumerate() {
            let came = if at + 1 == count { last } else { Came::All };
            if came == Came::Nothing || !stays {
                break;
            }
            let is_cut = came == Came::Head && asked.has_more();
            let body = if is_cut { cut_body.to_vec() } else { asked.body.clone() };
            let fault = is_cut.then_some(BodyFault::ClientGone);
            let (method, target) = (asked.method.clone(), format!("/{at}"));
            let heard = Heard { method, target, body, trailers: asked.trailers && !is_cut, fault, is_over: true };
            foretold.bodies.push(match asked.gives {
                Gives::Nothing => Vec::new(),
                _ if asked.method == Method::HEAD => Vec::new(),
                _ => text(at, asked, &heard),
            });
            foretold.heard.push(heard);
            if is_gone && asked.is_slow() {
                foretold.answers_min.get_or_insert(at);
                foretold.may_break_at.get_or_insert(at);
            }
            if asked.is_early() {
                foretold.answers_min.get_or_insert(at + 1);
            }
            stays = asked.keeps_alive() && !is_cut;
        }
        foretold.is_refused = stays && sequence.ends == Ends::Nonsense;
        let ends = if !stays || is_gone { Some(Left::Closed) } else { Some(Left::Waiting) };
        // Behind a refusal the engine waits for the client to close.
        foretold.left = if foretold.is_refused { Some(Left::Waiting) } else { ends };
        foretold
    }
}

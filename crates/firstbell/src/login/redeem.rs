//! The request token's way to a proven token: exchanged once, kept as pending, proven, and only then the current one.

use firstbell_core::broker::{self, Reply, Request};
use firstbell_core::event::Event;
use firstbell_core::failure::{Failure, Stage};
use firstbell_core::secret::Secret;
use firstbell_core::token::{Access, Grant, Life, Token};

use super::Login;
use crate::censor;
use crate::halt;
use crate::ledger::Ledger;
use crate::ports::{Call, FORM, Method, WireFault};

/// Pauses before the proof is asked for again: reading is safe to repeat, and a token that was paid for with a login
/// is worth a few seconds.
const PROOF_PAUSES_MS: [u64; 2] = [300, 1_200];

/// Pauses before the exchange tries to connect again; a request token lives for a few minutes.
const CONNECT_PAUSES_MS: [u64; 4] = [500, 2_000, 5_000, 10_000];

impl Login<'_> {
    /// Exchanges the request token, once, and proves what comes of it. A word to stop leaves it a moment.
    pub(super) async fn redeem(
        self,
        ledger: &mut Ledger<'_>,
        api_secret: &Secret,
        grant: &Grant,
    ) -> Result<Token, Failure> {
        let rest = async {
            self.progress.begin("exchanging the request token");
            ledger.note(Event::Exchanging)?;
            let request = self.broker.calls().exchange(self.app, grant, api_secret);
            let reply = self.exchange(&request).await.map_err(|fault| lost(Stage::Exchange, fault))?;
            let access = self.broker.calls().read_exchange(self.app, &reply)?;
            let token = self.token(ledger, access);
            ledger.pend(&token)?;
            self.prove(ledger, token).await
        };
        // A token that is on its way is worth the moment.
        self.halt.grace(halt::FINISH, rest).await.unwrap_or(Err(Failure::Interrupted))
    }

    /// Sends the exchange, once. Where no connection came about nothing left, and the login that was spent for it is worth a
    /// few more tries to connect.
    async fn exchange(self, request: &Request) -> Result<Reply, WireFault> {
        let mut pauses = CONNECT_PAUSES_MS.iter();
        loop {
            match (self.call(request).await, pauses.next()) {
                (Err(fault), Some(ms)) if !fault.left && fault.tls.is_none() => self.clock.rest(*ms).await,
                (outcome, _) => return outcome,
            }
        }
    }

    fn token(self, ledger: &Ledger<'_>, access: Access) -> Token {
        censor::know(access.secret());
        let life = Life::of(self.clock.now(), self.ground.flush);
        Token { access, api_key: self.app.api_key.clone(), generation: ledger.state().generation + 1, life }
    }

    /// Shows that the pending token works and is the expected user's; only then does it replace the current one.
    pub(super) async fn prove(self, ledger: &mut Ledger<'_>, token: Token) -> Result<Token, Failure> {
        self.progress.begin("proving the token");
        match self.probe(&token.access).await {
            Ok(()) => {
                ledger.promote(&token)?;
                Ok(token)
            }
            Err(failure @ (Failure::DeadOnArrival | Failure::ForeignToken)) => {
                ledger.drop_pending()?;
                Err(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks the broker whose token this is, again after a pause where the network or the broker fails.
    pub async fn probe(self, access: &Access) -> Result<(), Failure> {
        let mut pauses = PROOF_PAUSES_MS.iter();
        loop {
            let request = self.broker.calls().proof(self.app, access);
            let outcome = match self.call(&request).await {
                Ok(reply) => self.broker.calls().read_proof(self.app, &reply).map(drop),
                Err(WireFault { tls: Some(fault), .. }) => {
                    Err(Failure::Insecure { stage: Stage::Proof, fault })
                }
                Err(fault) => Err(Failure::Unreachable { stage: Stage::Proof, why: fault.why }),
            };
            match (outcome, pauses.next()) {
                (Err(Failure::Unreachable { .. } | Failure::BrokerDown { .. }), Some(ms)) => {
                    self.clock.rest(*ms).await
                }
                (outcome, _) => return outcome,
            }
        }
    }

    async fn call(self, request: &Request) -> Result<Reply, WireFault> {
        let call = Call {
            method: match request.method {
                broker::Method::Get => Method::Get,
                broker::Method::Post => Method::Post,
            },
            headers: request.headers.clone(),
            authorization: request.authorization.clone(),
            body: request.form.clone().map(|form| (FORM, form)),
            ..Call::get(Secret::new(self.ground.api.join(&request.path)))
        };
        let reply = self.http.send(call).await?;
        Ok(Reply { status: reply.status, media: reply.media, body: reply.body })
    }
}

fn lost(stage: Stage, fault: WireFault) -> Failure {
    if let (Some(fault), false) = (fault.tls, fault.left) {
        return Failure::Insecure { stage, fault };
    }
    let why = fault.why;
    if fault.left { Failure::Unanswered { stage, why } } else { Failure::Unreachable { stage, why } }
}

//! Events as bytes, with a version: what the store holds, and nothing that only this build would understand.

use firstbell_core::budget::{Cause, Fingerprint, Verdict};
use firstbell_core::event::Event;
use firstbell_core::failure::Ask;
use firstbell_core::incident::{Incident, Severity};
use firstbell_core::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The form of events that this program writes. A stored event of another version is refused, never guessed at.
pub const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::enum_variant_names, reason = "an event's name is what is written, and one is stored")]
enum Stored {
    Began {
        driver: String,
    },
    Intent {
        cause: StoredCause,
        credential: String,
        time_step: Option<u64>,
    },
    Judged {
        cause: StoredCause,
        verdict: StoredVerdict,
    },
    Exchanging {},
    Issued {
        generation: u64,
    },
    Proven {
        generation: u64,
    },
    Dropped {
        generation: u64,
    },
    Failed {
        code: String,
        /// Absent in the oldest ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<StoredAsk>,
    },
    Remaining {
        cause: StoredCause,
        left: u8,
    },
    Wait {
        until_ms: i64,
    },
    Died {
        generation: u64,
    },
    Checked {
        lacks: Vec<String>,
    },
    Assessed {
        lacks: Vec<String>,
    },
    Told {
        incident: StoredIncident,
        severity: StoredSeverity,
        over: bool,
        /// Absent where there is no channel.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        proven: bool,
    },
    Stored {
        name: String,
    },
    Paused {},
    Resumed {},
    Unlocked {},
    Restored {},
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredCause {
    Password,
    Code,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredVerdict {
    Accepted,
    Rejected,
    Blocked,
    Unknown,
    NeverLeft,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredIncident {
    NoToken,
    Lacking,
    Calendar,
    Ready,
    Password,
    Subscription,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredSeverity {
    Information,
    Warning,
    Critical,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredAsk {
    Again,
    Wait,
    Once,
    Stop,
    Human,
}

/// The form of snapshots that this program writes. To be raised with every change of [`State`]: a snapshot of another form
/// is passed over where its events are still there, and refused where they are not.
pub const SNAPSHOT_VERSION: u32 = 1;

/// A state as text.
pub fn write_state(state: &State) -> String {
    serde_json::to_string(state).expect("a state holds nothing that JSON cannot say")
}

/// A state from its text.
///
/// # Errors
/// Says why the text is not one.
pub fn read_state(text: &str) -> Result<State, serde_json::Error> {
    serde_json::from_str(text)
}

/// An event as text.
pub fn write(event: &Event) -> String {
    serde_json::to_string(&stored(event)).expect("events hold nothing that JSON cannot say")
}

/// An event from its text.
///
/// # Errors
/// Says why the text is not one; a reader stops there.
pub fn read(text: &str) -> Result<Event, serde_json::Error> {
    Ok(event(serde_json::from_str(text)?))
}

fn stored(event: &Event) -> Stored {
    match event.clone() {
        Event::Began { driver } => Stored::Began { driver },
        Event::Intent { cause, credential, time_step } => {
            Stored::Intent { cause: stored_cause(cause), credential: credential.0, time_step }
        }
        Event::Judged { cause, verdict } => {
            let verdict = match verdict {
                Verdict::Accepted => StoredVerdict::Accepted,
                Verdict::Rejected => StoredVerdict::Rejected,
                Verdict::Blocked => StoredVerdict::Blocked,
                Verdict::Unknown => StoredVerdict::Unknown,
                Verdict::NeverLeft => StoredVerdict::NeverLeft,
            };
            Stored::Judged { cause: stored_cause(cause), verdict }
        }
        Event::Exchanging => Stored::Exchanging {},
        Event::Issued { generation } => Stored::Issued { generation },
        Event::Proven { generation } => Stored::Proven { generation },
        Event::Dropped { generation } => Stored::Dropped { generation },
        Event::Failed { code, ask } => Stored::Failed { code, ask: Some(stored_ask(ask)) },
        Event::Remaining { cause, left } => Stored::Remaining { cause: stored_cause(cause), left },
        Event::Wait { until } => Stored::Wait { until_ms: until.as_millisecond() },
        Event::Died { generation } => Stored::Died { generation },
        Event::Checked { lacks } => Stored::Checked { lacks },
        Event::Assessed { lacks } => Stored::Assessed { lacks },
        Event::Told { incident, severity, over, channel, proven } => Stored::Told {
            incident: match incident {
                Incident::NoToken => StoredIncident::NoToken,
                Incident::Lacking => StoredIncident::Lacking,
                Incident::Calendar => StoredIncident::Calendar,
                Incident::Ready => StoredIncident::Ready,
                Incident::Password => StoredIncident::Password,
                Incident::Subscription => StoredIncident::Subscription,
            },
            severity: match severity {
                Severity::Information => StoredSeverity::Information,
                Severity::Warning => StoredSeverity::Warning,
                Severity::Critical => StoredSeverity::Critical,
            },
            over,
            channel,
            proven,
        },
        Event::Stored { name } => Stored::Stored { name },
        Event::Paused => Stored::Paused {},
        Event::Resumed => Stored::Resumed {},
        Event::Unlocked => Stored::Unlocked {},
        Event::Restored => Stored::Restored {},
    }
}

fn event(stored: Stored) -> Event {
    match stored {
        Stored::Began { driver } => Event::Began { driver },
        Stored::Intent { cause, credential, time_step } => {
            Event::Intent { cause: cause_of(&cause), credential: Fingerprint(credential), time_step }
        }
        Stored::Judged { cause, verdict } => {
            let verdict = match verdict {
                StoredVerdict::Accepted => Verdict::Accepted,
                StoredVerdict::Rejected => Verdict::Rejected,
                StoredVerdict::Blocked => Verdict::Blocked,
                StoredVerdict::Unknown => Verdict::Unknown,
                StoredVerdict::NeverLeft => Verdict::NeverLeft,
            };
            Event::Judged { cause: cause_of(&cause), verdict }
        }
        Stored::Exchanging {} => Event::Exchanging,
        Stored::Issued { generation } => Event::Issued { generation },
        Stored::Proven { generation } => Event::Proven { generation },
        Stored::Dropped { generation } => Event::Dropped { generation },
        Stored::Failed { code, ask } => Event::Failed { code, ask: ask.map_or(Ask::Again, ask_of) },
        Stored::Remaining { cause, left } => Event::Remaining { cause: cause_of(&cause), left },
        Stored::Wait { until_ms } => {
            // Further than any calendar reaches is as good as for ever.
            Event::Wait { until: Timestamp::from_millisecond(until_ms).unwrap_or(Timestamp::MAX) }
        }
        Stored::Died { generation } => Event::Died { generation },
        Stored::Checked { lacks } => Event::Checked { lacks },
        Stored::Assessed { lacks } => Event::Assessed { lacks },
        Stored::Told { incident, severity, over, channel, proven } => Event::Told {
            incident: match incident {
                StoredIncident::NoToken => Incident::NoToken,
                StoredIncident::Lacking => Incident::Lacking,
                StoredIncident::Calendar => Incident::Calendar,
                StoredIncident::Ready => Incident::Ready,
                StoredIncident::Password => Incident::Password,
                StoredIncident::Subscription => Incident::Subscription,
            },
            severity: match severity {
                StoredSeverity::Information => Severity::Information,
                StoredSeverity::Warning => Severity::Warning,
                StoredSeverity::Critical => Severity::Critical,
            },
            over,
            channel,
            proven,
        },
        Stored::Stored { name } => Event::Stored { name },
        Stored::Paused {} => Event::Paused,
        Stored::Resumed {} => Event::Resumed,
        Stored::Unlocked {} => Event::Unlocked,
        Stored::Restored {} => Event::Restored,
    }
}

fn stored_cause(cause: Cause) -> StoredCause {
    match cause {
        Cause::Password => StoredCause::Password,
        Cause::Code => StoredCause::Code,
    }
}

fn stored_ask(ask: Ask) -> StoredAsk {
    match ask {
        Ask::Again => StoredAsk::Again,
        Ask::Wait => StoredAsk::Wait,
        Ask::Once => StoredAsk::Once,
        Ask::Stop => StoredAsk::Stop,
        Ask::Human => StoredAsk::Human,
    }
}

fn ask_of(stored: StoredAsk) -> Ask {
    match stored {
        StoredAsk::Again => Ask::Again,
        StoredAsk::Wait => Ask::Wait,
        StoredAsk::Once => Ask::Once,
        StoredAsk::Stop => Ask::Stop,
        StoredAsk::Human => Ask::Human,
    }
}

fn cause_of(stored: &StoredCause) -> Cause {
    match stored {
        StoredCause::Password => Cause::Password,
        StoredCause::Code => Cause::Code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1 as it lies on disks: never to be changed, only to be followed by a version 2.
    const VERSION_1: [&str; 19] = [
        r#"{"event":"began","driver":"chrome"}"#,
        r#"{"event":"intent","cause":"password","credential":"0a1b","time_step":null}"#,
        r#"{"event":"intent","cause":"code","credential":"0a1b","time_step":58812345}"#,
        r#"{"event":"judged","cause":"code","verdict":"never-left"}"#,
        r#"{"event":"exchanging"}"#,
        r#"{"event":"issued","generation":7}"#,
        r#"{"event":"proven","generation":7}"#,
        r#"{"event":"failed","code":"password-rejected","ask":"stop"}"#,
        r#"{"event":"remaining","cause":"password","left":3}"#,
        r#"{"event":"wait","until_ms":1790000000000}"#,
        r#"{"event":"died","generation":7}"#,
        r#"{"event":"checked","lacks":["clock"]}"#,
        r#"{"event":"assessed","lacks":[]}"#,
        r#"{"event":"stored","name":"password"}"#,
        r#"{"event":"told","incident":"no-token","severity":"critical","over":false}"#,
        r#"{"event":"paused"}"#,
        r#"{"event":"resumed"}"#,
        r#"{"event":"unlocked"}"#,
        r#"{"event":"restored"}"#,
    ];

    #[test]
    fn what_lies_on_disks_is_read_and_written_the_same() {
        for text in VERSION_1 {
            assert_eq!(write(&read(text).unwrap()), text);
        }
    }

    /// When this fails, the form of snapshots has changed: raise [`SNAPSHOT_VERSION`], then mend the text.
    #[test]
    fn a_snapshot_of_this_version_looks_like_this() {
        let text = r#"{"budget":{"password":{"bad":1,"refused":[["0a1b",1]],"last":"0a1b"},"code":{"bad":0,"refused":[],"last":null},"last_step":59850295,"blocked":null,"restored":true},"generation":3,"proven_at":"2026-11-23T08:30:00.123Z","doubted_from":"2026-11-24T08:27:59Z","died_at":null,"died_before":null,"trouble":{"at":"2026-11-24T08:30:00Z","code":"slow","ask":"Again","times":1,"unclear":0},"wait":null,"paused":false,"checked_at":null,"assessed_at":null,"lacks":[],"told":null,"said":{},"began_at":null,"invited":null}"#;
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let password = Cause::Password;
        let story = [
            ("2026-11-23T08:30:00.123Z", Event::Proven { generation: 3 }),
            (
                "2026-11-24T08:29:00Z",
                Event::Intent { cause: password, credential: Fingerprint("0a1b".into()), time_step: None },
            ),
            ("2026-11-24T08:29:01Z", Event::Judged { cause: password, verdict: Verdict::Rejected }),
            ("2026-11-24T08:27:59Z", Event::Restored),
            ("2026-11-24T08:30:00Z", Event::Failed { code: "slow".into(), ask: Ask::Again }),
        ];
        let state = State::of(&story.map(|(moment, event)| (at(moment), event)));
        assert_eq!((SNAPSHOT_VERSION, write_state(&state).as_str()), (1, text));
        assert_eq!(read_state(text).unwrap(), state);
        assert!(read_state(&text.replacen("\"generation\"", "\"age\":1,\"generation\"", 1)).is_err());
    }

    #[test]
    fn a_failure_of_before_failures_said_what_they_ask_is_read() {
        let event = read(r#"{"event":"failed","code":"slow"}"#).unwrap();
        assert_eq!(event, Event::Failed { code: "slow".into(), ask: Ask::Again });
    }

    #[test]
    fn what_is_not_an_event_is_refused() {
        for text in ["", "{}", r#"{"event":"sold"}"#, r#"{"event":"issued","generation":7,"token":"x"}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

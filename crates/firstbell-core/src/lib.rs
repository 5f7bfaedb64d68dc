//! firstbell-core knows and never does: a login as data, the machine that walks it, the budget that protects the
//! account, and the day's credential. The moment is always an argument; there is no clock, file or network here.
//!
//! Read from the bottom up: [`secret`], [`origin`], [`obstacle`], [`calendar`], [`incident`], [`failure`], [`totp`], [`recipe`], [`token`], [`plan`], [`budget`], [`sight`], [`skeleton`],
//! [`walk`], [`broker`], [`brokers`], [`invitation`], [`event`], [`state`], [`schedule`], [`decide`], [`notice`], [`outbox`], [`days`].

mod answer;
pub mod broker;
pub mod brokers;
pub mod budget;
pub mod calendar;
pub mod days;
pub mod decide;
pub mod event;
pub mod failure;
pub mod incident;
pub mod invitation;
pub mod notice;
pub mod obstacle;
pub mod origin;
pub mod outbox;
pub mod plan;
pub mod recipe;
pub mod schedule;
pub mod secret;
pub mod sight;
pub mod skeleton;
pub mod state;
pub mod token;
pub mod totp;
pub mod walk;

//! Traffic through the plane, with real sockets on loopback. Time is paused where a test waits for a timeout: both ends run on
//! one thread, so nothing but the clock is skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod acls;
mod alb;
mod asked;
mod attributes;
mod authorize;
mod balancer_log;
mod bodies;
mod bounds;
mod certificates;
mod choice;
mod connection_log;
mod desync;
mod domains;
mod estate;
mod facing;
mod failures;
mod foretold;
mod front;
mod gate;
mod gateway;
mod health;
mod http2_targets;
mod internet;
mod issuer;
mod login;
mod malformed;
mod mapping;
mod mutual;
mod names;
mod network;
mod provider;
mod report;
mod rest_api;
mod rest_guard;
mod rest_limits;
mod rest_mapping;
mod rest_proxy;
mod rest_trial;
mod scene;
mod secured;
mod smuggling;
mod switched;
mod tls;
mod unread;

//! What attributes of a load balancer change for clients of a socket of its listener.

use std::time::Duration;

use topology::resource::trust_store::MutualAuthentication;

use crate::estate::{BALANCER, Chain};
use crate::mutual::{NAME, Stage};
use crate::tls::{ask, shake};

fn set(chain: &mut Chain, key: &str, value: &str) {
    chain.estate.load_balancers.edit(&BALANCER).unwrap().attributes.set(key, value).unwrap();
}

// sees: Application load balancers: routing.http.xff_header_processing.mode, routing.http.xff_client_port.enabled
#[tokio::test]
async fn forwarded_addresses_are_written_as_the_attributes_say() {
    let mut stage = Stage::asking(MutualAuthentication::Off).await;
    let path = "/ HTTP/1.1\r\nx-forwarded-for: 192.0.2.9\r\nx-rest:";
    for (mode, port, expected) in [
        ("append", "false", Some("192.0.2.9, 10.0.0.10")),
        ("append", "true", Some("192.0.2.9, 10.0.0.10:PORT")),
        ("preserve", "true", Some("192.0.2.9")),
        ("remove", "false", None),
    ] {
        stage.scene.change(|chain| {
            set(chain, "routing.http.xff_header_processing.mode", mode);
            set(chain, "routing.http.xff_client_port.enabled", port);
        });
        let mut stream = shake(stage.socket, &stage.servers.client(&[], None), NAME).await.unwrap();
        assert_eq!(ask(&mut stream, NAME, path).await.unwrap().status, 200);
        let own = stream.get_ref().0.local_addr().unwrap().port().to_string();
        assert_eq!(stage.told("x-forwarded-for"), expected.map(|text| text.replace("PORT", &own)), "{mode}, {port}");
    }
}

// sees: Application load balancers: client_keep_alive.seconds
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_old_enough_takes_one_more_request() {
    let mut stage = Stage::asking(MutualAuthentication::Off).await;
    stage.scene.change(|chain| {
        set(chain, "client_keep_alive.seconds", "60");
        set(chain, "idle_timeout.timeout_seconds", "4000");
    });
    let client = stage.servers.client(&[], None);
    let mut stream = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut stream, NAME, "/").await.unwrap().header("connection"), None);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(ask(&mut stream, NAME, "/").await.unwrap().header("connection").as_deref(), Some("close"));
    stage.scene.change(|chain| set(chain, "client_keep_alive.seconds", "3600"));
    let mut longer = shake(stage.socket, &client, NAME).await.unwrap();
    assert_eq!(ask(&mut longer, NAME, "/").await.unwrap().status, 200);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(ask(&mut longer, NAME, "/").await.unwrap().header("connection"), None);
}

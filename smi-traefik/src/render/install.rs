//! Entry points and provider.

use smi_core::ir::{EncodedSlashes, Ir, ListenerKey};

use crate::config::Named;
use crate::config::install::{
    Api, EncodedCharacters, EntryPoint, EntryPointHttp, FileProvider, Global, HttpProvider, Install, Ping,
    Providers, RespondingTimeouts, Transport,
};
use crate::name;
use crate::options::{Provider, TraefikOptions};

pub(super) fn install(ir: &Ir, options: &TraefikOptions) -> Install {
    let keep = ir.settings.encoded_slashes == EncodedSlashes::Keep;
    let http = || {
        Some(EntryPointHttp {
            alias_headers_strategy: "delete",
            encoded_characters: EncodedCharacters {
                allow_encoded_slash: keep,
                // SPEC: S9 keeps encoded backslashes and refuses raw ones. Traefik takes either for the other, so both are refused.
                allow_encoded_back_slash: false,
                allow_encoded_null_character: false,
            },
        })
    };
    // SPEC: S34 says when a request ends. Traefik would end each after 60 s whose body is still on its way. Test:
    // trap_5_1_17_nothing_ends_a_slow_body.
    let patient = || Some(Transport { responding_timeouts: RespondingTimeouts { read_timeout: "0s" } });
    let address = |port: u16, suffix: &str| match options.bind {
        Some(ip) => format!("{}{suffix}", std::net::SocketAddr::new(ip, port)),
        None => format!(":{port}{suffix}"),
    };
    let mut entry_points = Named::new();
    entry_points.insert(
        name::READY.to_owned(),
        EntryPoint { address: address(options.ready_port, ""), http: http(), transport: None },
    );
    for (key, listen) in &ir.listeners.entries {
        let (suffix, http, transport) = match key {
            ListenerKey::Http(_) | ListenerKey::Tcp(..) => ("", http(), patient()),
            ListenerKey::Udp(..) => ("/udp", None, None),
        };
        entry_points.insert(
            name::entry_point(key, *listen),
            EntryPoint { address: address(listen.get(), suffix), http, transport },
        );
    }
    let (file, http) = match &options.provider {
        Provider::File(filename) => (Some(FileProvider { filename: filename.clone(), watch: true }), None),
        Provider::Http(endpoint) => {
            (None, Some(HttpProvider { endpoint: endpoint.clone(), poll_interval: "1s" }))
        }
    };
    Install {
        entry_points,
        providers: Providers { providers_throttle_duration: "200ms", file, http },
        ping: Ping { manual_routing: true },
        api: options.api.then_some(Api { insecure: false, dashboard: false }),
        global: Global { check_new_version: false, send_anonymous_usage: false },
    }
}

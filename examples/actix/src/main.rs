//! Serves on loopback: `cargo run -p softtoken-actix-example -- 8080 accounts.db`.

use actix_web::{App, HttpServer};
use softtoken::{Context, Mfa, OsEntropy, Policy, SessionKeys};
use softtoken_actix_example::Api;

#[actix_web::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(8080), |port| port.parse())?;
    let file = arguments.next().unwrap_or_else(|| "accounts.db".into());
    // Made anew at each start, these keys end the sign-ins that are half done. Several processes
    // share theirs.
    let keys = SessionKeys::generate(1, &OsEntropy)?;
    let mfa = Mfa::system(Policy::STANDARD).with_sessions(keys, Context::new("web")?);
    let api = Api::open(&file, mfa)?;
    let server = HttpServer::new(move || {
        let api = api.clone();
        App::new().configure(|config| api.routes(config))
    })
    // Each may hash a password, which takes 19 MiB.
    .worker_max_blocking_threads(8)
    .bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("http://{address}");
    }
    Ok(server.run().await?)
}

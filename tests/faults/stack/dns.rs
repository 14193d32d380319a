//! The cluster's name server as NGINX needs it: the headless Service of a shop's service leads to its ready pods.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::addresses::Party;
use crate::proxy::Endpoints;

const HEADER_BYTES: usize = 12;
const NO_SUCH_NAME: u8 = 3;

/// Answers until the handle is aborted. `names` are first labels, such as `shop-order-headless`.
///
/// # Errors
/// When its address is taken.
pub(crate) async fn serve(names: BTreeMap<String, Arc<Endpoints>>) -> anyhow::Result<JoinHandle<()>> {
    let address = SocketAddr::from((Party::DNS.address(), 53));
    let socket = UdpSocket::bind(address).await.with_context(|| format!("failed to listen at {address}"))?;
    Ok(tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            // An asker that went away may give an error here; the next one counts.
            let Ok((length, asker)) = socket.recv_from(&mut buffer).await else { continue };
            if let Some(answer) = answer(&buffer[..length], &names) {
                // A lost answer is asked for again.
                if let Err(error) = socket.send_to(&answer, asker).await {
                    crate::report::say(&format!("a name was not answered: {error}"));
                }
            }
        }
    }))
}

/// The answer to a query for addresses (RFC 1035); nothing for what is no query.
fn answer(query: &[u8], names: &BTreeMap<String, Arc<Endpoints>>) -> Option<Vec<u8>> {
    let first = usize::from(*query.get(HEADER_BYTES)?);
    let label = query.get(HEADER_BYTES + 1..HEADER_BYTES + 1 + first)?;
    let label = String::from_utf8_lossy(label).to_lowercase();
    let end_of_name = HEADER_BYTES + query.get(HEADER_BYTES..)?.iter().position(|byte| *byte == 0)?;
    let question = query.get(HEADER_BYTES..end_of_name + 5)?;
    let known = names.get(&label);
    let addresses: Vec<Ipv4Addr> = known.map(|endpoints| endpoints.ready().to_vec()).unwrap_or_default();
    let code = if known.is_some() { 0 } else { NO_SUCH_NAME };
    let count = u16::try_from(addresses.len()).ok()?;

    let mut reply = query.get(..2)?.to_vec();
    reply.extend([0x81, 0x80 | code, 0, 1]);
    reply.extend(count.to_be_bytes());
    reply.extend([0; 4]);
    reply.extend(question);
    for address in addresses {
        // The name of the question, an IPv4 address of the internet, good for a second.
        reply.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

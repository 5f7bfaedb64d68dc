//! Many ticker connections, each with every instrument in full mode; what they cost the program that serves them.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;
use tokio::time::sleep;

use crate::Outcome;
use crate::stage::Stage;
use crate::wire::Wire;

const WARM_UP: Duration = Duration::from_secs(3);
const STRETCH: Duration = Duration::from_secs(10);
/// A share in full mode, with the length before it.
const PACKET: usize = 2 + 184;
/// Tokens of invented shares follow one another from here; the low byte names the segment.
const FIRST_SHARE: u32 = 900_002;

/// What was measured.
pub(crate) struct Ticks {
    pub(crate) connections: usize,
    pub(crate) instruments: u32,
    /// Whole frames a second over all connections.
    pub(crate) frames: f64,
    /// The share of one core that the program took.
    pub(crate) cores: f64,
    /// Its memory, at most, in MiB.
    pub(crate) memory: f64,
}

pub(crate) async fn measure(
    stage: &Stage,
    token: &str,
    connections: usize,
    instruments: u32,
) -> Outcome<Ticks> {
    let local = LocalSet::new();
    let start = Instant::now() + WARM_UP;
    let tasks: Vec<_> = (0..connections)
        .map(|_connection| {
            let (stage, token) = (stage.again(), token.to_owned());
            local.spawn_local(async move {
                let mut wire = stage.wire().await.map_err(|error| error.to_string())?;
                listen(&mut wire, &stage.handshake(&token), instruments, start)
                    .await
                    .map_err(|error| error.to_string())
            })
        })
        .collect();
    let measured = local.run_until(async move {
        sleep(WARM_UP).await;
        let before = stage.processor_s()?;
        sleep(STRETCH).await;
        let cores = (stage.processor_s()? - before) / STRETCH.as_secs_f64();
        let mut frames = 0;
        for task in tasks {
            frames += task.await??;
        }
        Outcome::Ok((cores, frames))
    });
    let (cores, frames) = measured.await?;
    let frames = frames as f64 / STRETCH.as_secs_f64();
    Ok(Ticks { connections, instruments, frames, cores, memory: stage.most_memory()? })
}

/// Subscribes to everything and counts the whole frames of the stretch that begins at `start`.
async fn listen(wire: &mut Wire, handshake: &str, instruments: u32, start: Instant) -> Outcome<u64> {
    wire.ask(handshake).await?.expect_status(101)?;
    let tokens: Vec<String> = (0..instruments).map(|n| ((FIRST_SHARE + n) << 8 | 1).to_string()).collect();
    let order = format!("{{\"a\":\"mode\",\"v\":[\"full\",[{}]]}}", tokens.join(","));
    wire.stream.write_all(&masked(order.as_bytes())?).await?;
    let mut frame = Vec::new();
    let mut count = 0;
    while Instant::now() < start + STRETCH {
        read(&mut wire.stream, &mut frame).await?;
        // Heartbeats come until the order is obeyed.
        if frame.len() == 1 {
            continue;
        }
        if frame.len() != 2 + usize::try_from(instruments)? * PACKET {
            return Err(format!("a frame of {} bytes", frame.len()).into());
        }
        count += u64::from((start..start + STRETCH).contains(&Instant::now()));
    }
    Ok(count)
}

/// A text frame of a client, longer than 65,535 bytes or not (RFC 6455, section 5.2), with a mask of zeros.
fn masked(text: &[u8]) -> Outcome<Vec<u8>> {
    let mut frame = vec![0x81, 0x80 | 127];
    frame.extend(u64::try_from(text.len())?.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text);
    Ok(frame)
}

/// Reads one frame of the server.
async fn read(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> Outcome<()> {
    let mut head = [0; 2];
    from.read_exact(&mut head).await?;
    let length = match head[1] {
        126 => usize::from(from.read_u16().await?),
        127 => usize::try_from(from.read_u64().await?)?,
        short => usize::from(short),
    };
    into.resize(length, 0);
    from.read_exact(into).await?;
    Ok(())
}

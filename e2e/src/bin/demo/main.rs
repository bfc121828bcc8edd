//! Wakegate at work on this machine: a request wakes a process, a burst waits for one, a WebSocket
//! keeps one up, and all of it falls back to zero.

mod steps;
mod timeline;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tracing_subscriber::EnvFilter;
use wakegate_e2e::autoscaler::{Autoscaler, ScaledObject};
use wakegate_e2e::{Addresses, Service, Stack};

use timeline::{meanwhile, say};

#[derive(Debug, Parser)]
#[command(about, version)]
struct Args {
    /// Leave the stack running until Ctrl-C instead of driving it.
    #[arg(long)]
    up: bool,
    /// Where Envoy takes requests; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where Envoy's admin endpoint is.
    #[arg(long, default_value = "127.0.0.1:0")]
    admin_listen: SocketAddr,
    /// Where the control plane serves gRPC.
    #[arg(long, default_value = "127.0.0.1:0")]
    control_plane_listen: SocketAddr,
    /// Where the control plane's admin endpoint is.
    #[arg(long, default_value = "127.0.0.1:0")]
    control_plane_admin_listen: SocketAddr,
    /// Where the scaler serves gRPC.
    #[arg(long, default_value = "127.0.0.1:0")]
    scaler_listen: SocketAddr,
    /// Where the scaler's admin endpoint is.
    #[arg(long, default_value = "127.0.0.1:0")]
    scaler_admin_listen: SocketAddr,
    /// Envoy's worker threads.
    #[arg(long, default_value_t = 2)]
    workers: u32,
    /// How long the sample app takes to start.
    #[arg(long, default_value_t = 500)]
    start_delay_ms: u64,
    /// From the last activity that KEDA saw to zero.
    #[arg(long, default_value_t = 2)]
    cooldown_secs: u64,
    /// A folder for manifests, configuration and logs that stays.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// What the demo itself logs, in tracing's filter syntax.
    #[arg(long, default_value = "warn")]
    log_filter: String,
}

/// The stack, what is scaled on it, and who scales it.
#[derive(Debug)]
struct Demo {
    stack: Stack,
    autoscaler: Autoscaler,
    shop: Service,
    burst: Service,
    cooldown: Duration,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let filter = EnvFilter::try_new(&args.log_filter).context("read --log-filter")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let demo = meanwhile("the programs start", start(&args)).await?;
    if args.up {
        Box::pin(stay_up(demo)).await
    } else {
        Box::pin(drive(demo)).await
    }
}

async fn start(args: &Args) -> Result<Demo> {
    let (shop, burst) = (Service::new("shop"), Service::new("burst"));
    let control_plane = Addresses {
        grpc: args.control_plane_listen,
        admin: args.control_plane_admin_listen,
        module: None,
    };
    let scaler = Addresses {
        grpc: args.scaler_listen,
        admin: args.scaler_admin_listen,
        module: None,
    };
    let mut builder = Stack::builder()
        .daemons(control_plane, scaler)
        .serve(shop.clone())
        .serve(burst.clone())
        .workers(args.workers)
        .listen(args.listen, args.admin_listen);
    if let Some(folder) = &args.folder {
        std::fs::create_dir_all(folder).context("make --folder")?;
        builder = builder.folder(folder);
    }
    let stack = builder.start().await?;
    let delay = format!("--start-delay-ms={}", args.start_delay_ms);
    let cooldown = Duration::from_secs(args.cooldown_secs);
    let objects = [&shop, &burst].map(|service| {
        ScaledObject::new(service, stack.sample_app().args(&[&delay]))
            .paced(Duration::from_secs(1), cooldown)
    });
    let autoscaler = stack.autoscale_all(objects.to_vec())?;
    Ok(Demo {
        stack,
        autoscaler,
        shop,
        burst,
        cooldown,
    })
}

/// Every step, or the first that did not happen as an error.
async fn drive(demo: Demo) -> Result<()> {
    introduce(&demo)?;
    let steps = async {
        steps::streams_open(&demo).await?;
        steps::one_request_at_zero(&demo).await?;
        steps::a_burst_at_zero(&demo).await?;
        steps::a_websocket_keeps_it_up(&demo).await?;
        steps::back_to_zero(&demo).await
    };
    tokio::select! {
        done = steps => done?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("listen for Ctrl-C")?;
            bail!("interrupted");
        }
    }
    end(demo).await?;
    say("\nEvery step happened. `./justw up` leaves the same stack running to poke at.");
    Ok(())
}

async fn stay_up(demo: Demo) -> Result<()> {
    introduce(&demo)?;
    let address = demo.stack.address()?;
    let (shop, burst) = (demo.shop.host(), demo.burst.host());
    say(&format!(
        "\nTry:\n\
         \x20 curl -i -H 'host: {shop}' http://{address}/                    # wakes it\n\
         \x20 curl -H 'host: {shop}' -d 'anyone home?' http://{address}/echo\n\
         \x20 curl -N -H 'host: {shop}' 'http://{address}/sse?n=60&ms=1000'   # keeps it up\n\
         \x20 seq 100 | xargs -P 100 -I{{}} curl -s -o /dev/null -w '%{{http_code}} ' -H 'host: {burst}' http://{address}/\n\
         \x20 curl -s http://{admin}/stats/prometheus | grep wakegate\n\
         \x20 curl -s http://{routes}/debug/routes\n\
         \x20 curl -s http://{scaler}/metrics\n\
         \nCtrl-C ends it.",
        admin = demo.stack.envoy()?.admin().address(),
        routes = demo.stack.control_plane.addresses().admin,
        scaler = demo.stack.scaler.addresses().admin,
    ));
    tokio::signal::ctrl_c().await.context("listen for Ctrl-C")?;
    end(demo).await
}

/// The apps first, then the rest: nothing is left to wake them.
async fn end(demo: Demo) -> Result<()> {
    let Demo {
        stack, autoscaler, ..
    } = demo;
    drop(autoscaler);
    meanwhile("the programs end", stack.finish()).await
}

fn introduce(demo: &Demo) -> Result<()> {
    let stack = &demo.stack;
    let address = stack.address()?;
    say(&format!(
        "Envoy with the filter   http://{address}   (hosts {}, {})\n\
         Envoy's admin           http://{}\n\
         control plane           gRPC {}   admin http://{}\n\
         scaler                  gRPC {}   admin http://{}\n\
         manifests and logs      {}\n\
         All streams are in plain text (WAKEGATE_PLAIN_TEXT) and on this machine only. Elsewhere give each daemon its\n\
         certificates by --tls-dir, and Envoy and KEDA theirs: envoy-config/plain/README.md shows how.",
        demo.shop.host(),
        demo.burst.host(),
        stack.envoy()?.admin().address(),
        stack.control_plane.addresses().grpc,
        stack.control_plane.addresses().admin,
        stack.scaler.addresses().grpc,
        stack.scaler.addresses().admin,
        stack.folder().display(),
    ));
    Ok(())
}

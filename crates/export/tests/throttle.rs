//! Limits as clients meet them. The limits are such that what must wait would wait for hours.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod support;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use firebrick_edge::{Clock, SystemClock};
use firebrick_export::{Device, DeviceError, DeviceWrite, Extent, Throttle};
use firebrick_simulate::SimulatedClock;
use firebrick_vocabulary::{ByteRange, Bytes, Limit, Limits, Rates};
use support::client::Client;
use support::{MemoryDevice, Site};

const READ: u16 = 0;
const FLUSH: u16 = 3;

/// A device in memory behind limits.
struct Limited {
    device: Arc<MemoryDevice>,
    throttle: Arc<Throttle>,
}

impl Device for Limited {
    fn size(&self) -> Bytes {
        self.device.size()
    }
    fn is_writable(&self) -> bool {
        self.device.is_writable()
    }
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.device.read(offset, buffer)
    }
    fn read_cached(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DeviceError> {
        self.device.read_cached(offset, buffer)
    }
    fn write(&self, writes: &[DeviceWrite<'_>]) -> Result<(), DeviceError> {
        self.device.write(writes)
    }
    fn discard(&self, range: ByteRange) -> Result<(), DeviceError> {
        self.device.discard(range)
    }
    fn write_zeroes(&self, range: ByteRange) -> Result<(), DeviceError> {
        self.device.write_zeroes(range)
    }
    fn flush(&self) -> Result<(), DeviceError> {
        self.device.flush()
    }
    fn extents(&self, range: ByteRange, most: usize) -> Result<Vec<Extent>, DeviceError> {
        self.device.extents(range, most)
    }
    fn throttle(&self) -> Option<&Arc<Throttle>> {
        Some(&self.throttle)
    }
}

fn only(read: u64, write: u64) -> Limits {
    let limit = |average| {
        NonZeroU64::new(average).map(|average| Limit {
            average,
            burst: None,
        })
    };
    Limits {
        bytes: Rates {
            total: None,
            read: limit(read),
            write: limit(write),
        },
        ..Limits::default()
    }
}

/// A site whose export `disk` has these limits.
fn limited(limits: &Limits, clock: Arc<dyn Clock>) -> (Site, Arc<MemoryDevice>, Arc<Throttle>) {
    let site = Site::new();
    let device = MemoryDevice::new(1 << 20);
    let throttle = Arc::new(Throttle::new(clock));
    throttle.set(limits);
    let exported = Limited {
        device: Arc::clone(&device),
        throttle: Arc::clone(&throttle),
    };
    site.server.add("disk", Arc::new(exported), false);
    (site, device, throttle)
}

fn client(site: &Site) -> Client {
    Client::simple(&site.socket())
}

fn real() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

#[test]
fn a_held_request_waits_and_earlier_answers_do_not() {
    let (site, device, throttle) = limited(&only(0, 1), real());
    let mut guest = client(&site);
    guest.write(0, 1, 0, &[1; 4096]);
    guest.write(0, 2, 4096, &[2; 4096]);
    // The answer to the first comes although the second, sent with it, has to wait.
    assert_eq!(guest.simple_reply(), (1, 0));
    assert_eq!(device.bytes()[4096..8192], [0; 4096]);
    throttle.set(&Limits::default());
    assert_eq!(guest.simple_reply(), (2, 0));
    assert_eq!(device.bytes()[4096..8192], [2; 4096]);
}

#[test]
fn only_the_client_that_is_held_waits() {
    let (site, _device, throttle) = limited(&only(1, 0), real());
    let (mut reader, mut writer) = (client(&site), client(&site));
    reader.request(READ, 0, 1, 0, 4096);
    assert_eq!(reader.simple_reply(), (1, 0));
    reader.receive(4096);
    reader.request(READ, 0, 2, 0, 4096);
    for cookie in 1..100 {
        writer.write(0, cookie, 0, &[7; 4096]);
        assert_eq!(writer.simple_reply(), (cookie, 0));
    }
    writer.request(FLUSH, 0, 100, 0, 0);
    assert_eq!(writer.simple_reply(), (100, 0));
    throttle.set(&Limits::default());
    assert_eq!(reader.simple_reply(), (2, 0));
    assert_eq!(reader.receive(4096), [7; 4096]);
}

#[test]
fn clients_of_one_device_share_its_limits() {
    let clock = Arc::new(SimulatedClock::new());
    let shared: Arc<dyn Clock> = Arc::<SimulatedClock>::clone(&clock);
    let (site, device, _throttle) = limited(&only(0, 4096), shared);
    let mut guests: Vec<Client> = (0..4).map(|_| client(&site)).collect();
    for guest in &mut guests {
        guest.write(0, 1, 0, &[1; 4096]);
    }
    let passed = || device.batches.lock().iter().sum::<usize>();
    let wait = |wanted| {
        while passed() < wanted {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(passed(), wanted);
    };
    wait(1);
    for wanted in 2..=4 {
        clock.advance(Duration::from_secs(1));
        wait(wanted);
    }
    for guest in &mut guests {
        assert_eq!(guest.simple_reply(), (1, 0));
    }
}

#[test]
fn a_large_write_is_held_as_well() {
    let (site, device, throttle) = limited(&only(0, 1), real());
    let mut guest = client(&site);
    guest.write(0, 1, 0, &vec![1; 512 << 10]);
    assert_eq!(guest.simple_reply(), (1, 0));
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            guest.write(0, 2, 0, &vec![2; 512 << 10]);
            guest
        });
        let mut other = client(&site);
        for cookie in 3..100 {
            other.request(READ, 0, cookie, 0, 4096);
            assert_eq!(other.simple_reply(), (cookie, 0));
            assert_eq!(other.receive(4096), [1; 4096]);
        }
        throttle.set(&Limits::default());
        let mut guest = sending.join().unwrap();
        assert_eq!(guest.simple_reply(), (2, 0));
    });
    assert_eq!(device.bytes()[..4096], [2; 4096]);
}

#[test]
fn who_waits_ends_with_the_export_and_the_server() {
    let (site, _device, _throttle) = limited(&only(1, 1), real());
    let mut guest = client(&site);
    guest.request(READ, 0, 1, 0, 4096);
    guest.request(READ, 0, 2, 0, 4096);
    assert_eq!(guest.simple_reply(), (1, 0));
    guest.receive(4096);
    site.server.remove("disk");
    guest.expect_end();

    let (site, _device, _throttle) = limited(&only(1, 1), real());
    let mut guest = client(&site);
    guest.request(READ, 0, 1, 0, 4096);
    guest.request(READ, 0, 2, 0, 4096);
    assert_eq!(guest.simple_reply(), (1, 0));
    guest.receive(4096);
    site.server.stop();
    guest.expect_end();
}

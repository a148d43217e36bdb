mod announce;
mod drives;
mod hostile;
mod others;

use ironrdp_core::{Encode, EncodeResult, WriteCursor, encode_vec};
use ironrdp_rdpdr::pdu::RdpdrPdu;
use ironrdp_rdpdr::pdu::efs::*;
use passerelle_desktop::*;

use crate::relay::RelayViolation;
use crate::relay::channel::{Chunk, Verdict};
use crate::relay::rig::{CHUNK, NOTHING};

type Rig = crate::relay::rig::Rig<super::Devices>;

const SERIAL: u32 = 1;
const PARALLEL: u32 = 2;
const PRINTER: u32 = 3;
const DRIVE: u32 = 4;
const SMART_CARD: u32 = 5;
const OTHER: u32 = 6;

/// Every device with what it needs.
const DEVICES: [(u32, Permission); 6] = [
    (SERIAL, Permission::Ports),
    (PARALLEL, Permission::Ports),
    (PRINTER, Permission::Printers),
    (DRIVE, Permission::Drives),
    (SMART_CARD, Permission::SmartCards),
    (OTHER, Permission::OtherChannels),
];

impl Rig {
    /// Everything is permitted, and devices may go away.
    fn new() -> Self {
        let mut rig = Self::with(super::Devices::new());
        for (from, kind) in [
            (Side::Target, CoreCapabilityKind::ServerCoreCapabilityRequest),
            (Side::Viewer, CoreCapabilityKind::ClientCoreCapabilityResponse),
        ] {
            let message = capabilities(kind);
            assert_eq!(rig.send(from, &message), message);
        }
        rig
    }

    /// All devices are announced.
    fn with_devices() -> Self {
        let mut rig = Self::new();
        let message = announcement(&DEVICES.map(|(device, _)| device));
        assert_eq!(rig.send(Side::Viewer, &message), message);
        rig.recorded.clear();
        rig
    }

    /// The target does something that passes and that the viewer does.
    fn done(&mut self, request: &[u8], completion: &[u8]) {
        assert_eq!(self.send(Side::Target, request), request);
        assert_eq!(self.send(Side::Viewer, completion), completion);
    }

    /// The target does something that does not reach the viewer and fails.
    fn refused(&mut self, request: &[u8], completion: u32) {
        assert_eq!(self.send(Side::Target, request), NOTHING);
        let device = u32::from_le_bytes(*request[4..].first_chunk().unwrap());
        assert_eq!(self.take_injections(), [(Side::Target, denied(device, completion))]);
    }

    /// The files that were told.
    fn files(&mut self) -> Vec<Notice> {
        let (files, others) =
            self.take_notices().into_iter().partition(|notice| matches!(notice, Notice::File { .. }));
        self.notices = others;
        files
    }
}

/// Encodes what has no whole encoder.
struct Message<F>(PacketId, usize, F);

impl<F: Fn(&mut WriteCursor<'_>) -> EncodeResult<()>> Encode for Message<F> {
    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.write_u16(0x4472);
        dst.write_u16(self.0.into());
        self.2(dst)
    }

    fn name(&self) -> &'static str {
        "Message"
    }

    fn size(&self) -> usize {
        4 + self.1
    }
}

use ironrdp_rdpdr::pdu::PacketId;

fn message(id: PacketId, size: usize, encode: impl Fn(&mut WriteCursor<'_>) -> EncodeResult<()>) -> Vec<u8> {
    encode_vec(&Message(id, size, encode)).unwrap()
}

fn pdu(pdu: RdpdrPdu) -> Vec<u8> {
    encode_vec(&pdu).unwrap()
}

fn capabilities(kind: CoreCapabilityKind) -> Vec<u8> {
    pdu(RdpdrPdu::CoreCapability(CoreCapability { capabilities: Capabilities::new().clone_inner(), kind }))
}

/// An announcement of those of the devices.
fn announcement(devices: &[u32]) -> Vec<u8> {
    let mut all = Devices::new();
    for device in devices {
        match *device {
            SERIAL => all.add_port(SERIAL, DeviceType::Serial, "COM1".into()),
            PARALLEL => all.add_port(PARALLEL, DeviceType::Parallel, "LPT1".into()),
            PRINTER => assert!(all.add_printer(PRINTER, "Laser \u{7}jet".into())),
            DRIVE => all.add_drive(DRIVE, "home".into()),
            SMART_CARD => all.add_smartcard(SMART_CARD),
            _ => all.add_port(OTHER, DeviceType::Serial, "THING".into()),
        }
    }
    let device_list = all.clone_inner();
    let mut message = pdu(RdpdrPdu::ClientDeviceListAnnounce(ClientDeviceListAnnounce { device_list }));
    // No encoder knows a device type that does not exist.
    if let Some(at) = message.windows(5).position(|at| at == b"THING") {
        message[at - 8] = 0x77;
    }
    message
}

fn removal(devices: &[u32]) -> Vec<u8> {
    pdu(RdpdrPdu::ClientDeviceListRemove(ClientDeviceListRemove { device_list: devices.to_vec() }))
}

fn header(
    device_id: u32,
    file_id: u32,
    completion_id: u32,
    major_function: MajorFunction,
) -> DeviceIoRequest {
    let minor_function = MinorFunction::from(0);
    DeviceIoRequest { device_id, file_id, completion_id, major_function, minor_function }
}

fn status(device_id: u32, completion_id: u32, io_status: NtStatus) -> DeviceIoResponse {
    DeviceIoResponse { device_id, completion_id, io_status }
}

fn create(device: u32, completion: u32, disposition: CreateDisposition, path: &str) -> Vec<u8> {
    create_with(device, completion, disposition, CreateOptions::empty(), path)
}

fn create_with(
    device: u32,
    completion: u32,
    create_disposition: CreateDisposition,
    create_options: CreateOptions,
    path: &str,
) -> Vec<u8> {
    let request = DeviceCreateRequest {
        device_io_request: header(device, 0, completion, MajorFunction::Create),
        desired_access: DesiredAccess::empty(),
        allocation_size: 0,
        file_attributes: FileAttributes::empty(),
        shared_access: SharedAccess::empty(),
        create_disposition,
        create_options,
        path: path.into(),
    };
    message(PacketId::CoreDeviceIoRequest, request.size(), |dst| request.encode(dst))
}

fn created(device: u32, completion: u32, file_id: u32) -> Vec<u8> {
    pdu(RdpdrPdu::DeviceCreateResponse(DeviceCreateResponse {
        device_io_reply: status(device, completion, NtStatus::SUCCESS),
        file_id,
        information: Information::FILE_OPENED,
    }))
}

fn close(device: u32, file: u32, completion: u32) -> Vec<u8> {
    let request =
        DeviceCloseRequest { device_io_request: header(device, file, completion, MajorFunction::Close) };
    message(PacketId::CoreDeviceIoRequest, request.size(), |dst| request.encode(dst))
}

fn closed(device: u32, completion: u32) -> Vec<u8> {
    let device_io_response = status(device, completion, NtStatus::SUCCESS);
    pdu(RdpdrPdu::DeviceCloseResponse(DeviceCloseResponse { device_io_response }))
}

fn read(device: u32, file: u32, completion: u32, offset: u64, length: u32) -> Vec<u8> {
    let device_io_request = header(device, file, completion, MajorFunction::Read);
    let request = DeviceReadRequest { device_io_request, length, offset };
    message(PacketId::CoreDeviceIoRequest, request.size(), |dst| request.encode(dst))
}

fn content(device: u32, completion: u32, data: &[u8]) -> Vec<u8> {
    content_with(device, completion, NtStatus::SUCCESS, data)
}

fn content_with(device: u32, completion: u32, result: NtStatus, data: &[u8]) -> Vec<u8> {
    let device_io_reply = status(device, completion, result);
    pdu(RdpdrPdu::DeviceReadResponse(DeviceReadResponse { device_io_reply, read_data: data.to_vec() }))
}

fn write(device: u32, file: u32, completion: u32, offset: u64, data: &[u8]) -> Vec<u8> {
    let device_io_request = header(device, file, completion, MajorFunction::Write);
    let request = DeviceWriteRequest { device_io_request, offset, write_data: data.to_vec() };
    message(PacketId::CoreDeviceIoRequest, request.size(), |dst| request.encode(dst))
}

fn written(device: u32, completion: u32, length: usize) -> Vec<u8> {
    let device_io_reply = status(device, completion, NtStatus::SUCCESS);
    let length = u32::try_from(length).unwrap();
    pdu(RdpdrPdu::DeviceWriteResponse(DeviceWriteResponse { device_io_reply, length }))
}

fn set(device: u32, file: u32, completion: u32, set_buffer: FileInformationClass) -> Vec<u8> {
    let device_io_request = header(device, file, completion, MajorFunction::SetInformation);
    let request = ServerDriveSetInformationRequest { device_io_request, set_buffer };
    message(PacketId::CoreDeviceIoRequest, request.size(), |dst| request.encode(dst))
}

/// A completion without any result but its status.
fn plain(device: u32, completion: u32, result: NtStatus) -> Vec<u8> {
    let response = status(device, completion, result);
    message(PacketId::CoreDeviceIoCompletion, response.size() + 4, |dst| {
        response.encode(dst)?;
        dst.write_u32(0);
        Ok(())
    })
}

/// What the target is answered in the viewer's place.
fn denied(device: u32, completion: u32) -> Vec<u8> {
    let response = status(device, completion, NtStatus::ACCESS_DENIED);
    message(PacketId::CoreDeviceIoCompletion, response.size() + 5, |dst| {
        response.encode(dst)?;
        dst.write_slice(&[0; 5]);
        Ok(())
    })
}

/// A request of a function that has nothing to tell.
fn request(device: u32, file: u32, completion: u32, major: u32) -> Vec<u8> {
    message(PacketId::CoreDeviceIoRequest, 20 + 32, |dst| {
        for field in [device, file, completion, major, 0] {
            dst.write_u32(field);
        }
        dst.write_slice(&[0; 32]);
        Ok(())
    })
}

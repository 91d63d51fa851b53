//! What of a charter makes the group: the preimage of its id.

use minicbor::Encoder;
use minicbor::encode::Error;
use synchronicity_verify::digest::Digest;

use super::overrides::{LimitChoice, Override};
use super::{Charter, Member};

type Written = Result<(), Error<core::convert::Infallible>>;
type Cbor<'b> = Encoder<&'b mut Vec<u8>>;

/// `tagged("synchronicity/group/v1", CBOR)` with
/// `[origin, epoch, log vkey, threshold, commit ms, reveal ms, [[name, consensus, command, cosigner vkey, attestation]…]]`,
/// and behind that the names of the walls, `[name…]`, if the group asks for any or has overrides, and then these, if it has
/// any: a group without keeps the id that it had before groups could have them. An absent member has a sixth item, `true`.
pub(super) fn charter_id(charter: &Charter) -> Digest {
    let mut bytes = Vec::new();
    write(charter, &mut Encoder::new(&mut bytes)).expect("writing into a Vec has no failure");
    Digest::tagged("synchronicity/group/v1", &[&bytes])
}

fn write(charter: &Charter, cbor: &mut Cbor<'_>) -> Written {
    let overrides = !charter.overrides.is_empty();
    let walls = overrides || !charter.containment.is_empty();
    cbor.array(7 + u64::from(walls) + u64::from(overrides))?
        .str(&charter.origin)?
        .u64(charter.epoch)?
        .str(&charter.log_key.to_string())?
        .u16(charter.threshold)?
        .u64(charter.commit_window_ms)?
        .u64(charter.reveal_window_ms)?
        .array(charter.members.len() as u64)?;
    charter.members.iter().try_for_each(|it| member(it, cbor))?;
    if walls {
        texts(&charter.containment, cbor)?;
    }
    if overrides {
        cbor.array(charter.overrides.len() as u64)?;
        charter.overrides.iter().try_for_each(|it| one_override(it, cbor))?;
    }
    Ok(())
}

fn member(member: &Member, cbor: &mut Cbor<'_>) -> Written {
    cbor.array(5 + u64::from(member.absent))?
        .str(&member.name)?
        .bytes(&member.consensus)?
        .bytes(&member.command.0)?
        .str(&member.cosigner.to_string())?
        .bytes(&member.attestation)?;
    if member.absent {
        cbor.bool(true)?;
    }
    Ok(())
}

/// `[crate, version, reason, products, [package…], limits, features]`: absent texts are empty, absent limits and the
/// absence of any other decision an empty array, limits and a decision on features arrays of all their numbers, zero for
/// a limit that is not decided.
fn one_override(agreed: &Override, cbor: &mut Cbor<'_>) -> Written {
    cbor.array(7)?.str(&agreed.package)?.str(agreed.version.as_deref().unwrap_or_default())?.str(&agreed.reason)?;
    cbor.str(agreed.products.map_or("", |products| products.name()))?;
    texts(&agreed.packages, cbor)?;
    match agreed.limits {
        None => cbor.array(0)?,
        Some(LimitChoice { memory_mib, time_seconds, disk_mib, processes, transcript_mib, jobs }) => {
            let (processes, jobs) = (processes.map(u64::from), jobs.map(u64::from));
            let numbers = [memory_mib, time_seconds, disk_mib, processes, transcript_mib, jobs];
            numbers.iter().try_fold(cbor.array(6)?, |cbor, number| cbor.u64(number.unwrap_or(0)))?
        }
    };
    match &agreed.features {
        None => drop(cbor.array(0)?),
        Some(features) => {
            cbor.array(3)?.bool(features.default)?.bool(features.all)?;
            texts(&features.named, cbor)?;
        }
    }
    Ok(())
}

fn texts(texts: &[String], cbor: &mut Cbor<'_>) -> Written {
    cbor.array(texts.len() as u64)?;
    texts.iter().try_for_each(|text| cbor.str(text).map(drop))
}

//! A node's answer, for people.

use std::io::{self, Write};

use headroom_core::exchange::{Answer, Placement};
use headroom_core::quantity::Bytes;
use headroom_core::unit::{Absence, Component, ComponentKind, Sample, UserInformation};

/// Prints specifications, user information and status.
pub(crate) fn print(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let node = &answer.description;
    writeln!(out, "Node        {}", node.node)?;
    let placement = match node.placement {
        Placement::Host => "host (above the unit)",
        Placement::Peripheral => "peripheral (inside the unit)",
    };
    writeln!(out, "Placement   {placement}")?;
    writeln!(out, "Software    {}", clean(&node.software))?;
    writeln!(out, "Answered    {}, measures every {} s", answer.answered_at, node.interval_seconds)?;
    user(out, &answer.user)?;
    for unit in &answer.units {
        writeln!(out, "\nUnit {} ({:?})", clean(&unit.key.0), unit.kind)?;
        for component in &unit.components {
            print_component(out, answer, component)?;
        }
    }
    let of_none = answer.remarks.iter().filter(|remark| remark.component.is_none());
    for remark in of_none {
        let at = remark.at.map(|at| format!("{at}  ")).unwrap_or_default();
        writeln!(out, "\nNote        {at}{}", clean(&remark.text))?;
    }
    for text in &answer.notices {
        writeln!(out, "\nNote        {}", clean(text))?;
    }
    Ok(())
}

fn user(out: &mut impl Write, user: &UserInformation) -> io::Result<()> {
    writeln!(out, "\nUser        {}", or_dash(Some(&user.organisation)))?;
    writeln!(out, "Site        {}", or_dash(user.site.as_deref()))?;
    let contact = user.contact.as_ref().map(|contact| format!("{} <{}>", contact.name, contact.email));
    writeln!(out, "Contact     {}", or_dash(contact.as_deref()))?;
    let consent = user.consent;
    writeln!(
        out,
        "Allows      support {}, advice {}, sales {}",
        yes(consent.support),
        yes(consent.advice),
        yes(consent.sales)
    )
}

fn print_component(out: &mut impl Write, answer: &Answer, component: &Component) -> io::Result<()> {
    let label = component.label.as_deref().unwrap_or(&component.key.0);
    writeln!(out, "  {:?} {}", component.kind, clean(label))?;
    let specs = &component.specs;
    let model: Vec<String> = [&specs.vendor, &specs.model, &specs.serial, &specs.firmware]
        .into_iter()
        .flatten()
        .map(|text| clean(text))
        .collect();
    if !model.is_empty() {
        writeln!(out, "    specs     {}", model.join(" · "))?;
    }
    let size = |bytes: Bytes| match component.kind {
        ComponentKind::Drive | ComponentKind::Namespace => bytes.si().to_string(),
        _ => bytes.iec().to_string(),
    };
    if let Some(capacity) = specs.capacity_bytes {
        writeln!(out, "    capacity  {} ({} bytes)", size(capacity), capacity.0)?;
    }
    match answer.status.iter().find(|sample| sample.component == component.key) {
        None => writeln!(out, "    status    none yet")?,
        Some(sample) => status(out, sample, &size)?,
    }
    for absence in answer.absences.iter().filter(|absence| absence.component == component.key) {
        missing(out, absence)?;
    }
    for remark in answer.remarks.iter().filter(|remark| remark.component.as_ref() == Some(&component.key)) {
        let at = remark.at.map(|at| format!("{at}  ")).unwrap_or_default();
        writeln!(out, "    remark    {at}{}", clean(&remark.text))?;
    }
    Ok(())
}

fn status(out: &mut impl Write, sample: &Sample, size: &dyn Fn(Bytes) -> String) -> io::Result<()> {
    let status = &sample.status;
    writeln!(out, "    status    {}", sample.at)?;
    match (status.used_bytes, status.capacity_bytes) {
        (Some(used), Some(capacity)) => {
            writeln!(out, "    used      {} of {} ({} bytes)", size(used), size(capacity), used.0)?;
        }
        (Some(used), None) => writeln!(out, "    used      {} ({} bytes)", size(used), used.0)?,
        (None, _) => {}
    }
    if let Some(utilisation) = status.utilisation {
        writeln!(out, "    load      {:.1} % busy", utilisation * 100.0)?;
    }
    if let Some(percent) = status.endurance_used_percent {
        writeln!(out, "    endurance {percent} % of the rating used")?;
    }
    if let (Some(used), Some(total)) = (status.inodes_used, status.inodes_total) {
        writeln!(out, "    inodes    {used} of {total}")?;
    }
    Ok(())
}

fn missing(out: &mut impl Write, absence: &Absence) -> io::Result<()> {
    let reason = format!("{:?}", absence.reason);
    match &absence.detail {
        Some(detail) => {
            writeln!(out, "    absent    {}: {reason}, {}", clean(&absence.field.0), clean(detail))
        }
        None => writeln!(out, "    absent    {}: {reason}", clean(&absence.field.0)),
    }
}

fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| "–".to_owned(), clean)
}

fn yes(granted: bool) -> &'static str {
    if granted { "yes" } else { "no" }
}

/// A device names itself as it likes; what would move the cursor is left out.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

//! systemd, Nginx and user data: units, users and upstreams that are named are there.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::files::FileSet;

use super::reading::{Checked, known, pattern};

/// The files of `systemd`.
pub(super) fn systemd(files: &FileSet) -> Checked {
    let named = files
        .into_iter()
        .map(|(path, file)| (path.as_str(), file.text.as_str()));
    units(&named.collect())
}

/// The files that the script puts on a machine, and what it says of them itself.
pub(super) fn userdata(files: &FileSet) -> Checked {
    for (path, file) in files {
        if !path.ends_with(".sh") {
            continue;
        }
        let mut made = BTreeMap::from([("script", file.text.as_str())]);
        for found in pattern!(r"(?m)^put \d+ (\S+) <<'(\w+)'$").captures_iter(&file.text) {
            let (Some(place), Some(whole)) = (found.get(1), found.get(0)) else {
                continue;
            };
            let body = &file.text[whole.end()..];
            let end = format!("\n{}\n", &found[2]);
            let body = &body[..body.find(&end).ok_or("a text has no end")?];
            let place = place.as_str().trim_start_matches("/etc/systemd/system/");
            if made.insert(place, body).is_some() {
                return Err(format!("{path}: {place} is written twice"));
            }
        }
        let configurations = made.iter().filter(|(place, _)| place.contains("nginx"));
        configurations
            .map(|(_, text)| *text)
            .try_for_each(configuration)?;
        units(&made).map_err(|problem| format!("{path}: {problem}"))?;
    }
    Ok(())
}

fn units(files: &BTreeMap<&str, &str>) -> Checked {
    let kind = pattern!(r"^[^/]+\.(service|timer|target|socket|path)$");
    let there: BTreeSet<&str> = files
        .keys()
        .copied()
        .filter(|path| kind.is_match(path))
        .collect();
    let Some(project) = there.iter().find_map(|unit| unit.strip_suffix(".target")) else {
        return Ok(());
    };
    let mut users = BTreeSet::new();
    for (_, text) in files.iter().filter(|(path, _)| path.contains("sysusers")) {
        users.extend(
            pattern!(r"(?m)^u (\S+)")
                .captures_iter(text)
                .map(|found| found[1].to_owned()),
        );
    }
    if let Some(script) = files.get("script") {
        let made = pattern!(r"(?m)useradd (?:--[a-z-]+(?: /\S+)? )*(\S+)$").captures_iter(script);
        users.extend(made.map(|found| found[1].to_owned()));
    }
    if let Some(bad) = users
        .iter()
        .find(|user| !pattern!("^[a-z_][a-z0-9_-]{0,30}$").is_match(user))
    {
        return Err(format!("a user may not be called `{bad}`"));
    }
    for (path, text) in files {
        // A name of a unit is at most 255 bytes, and so is a file's.
        if there.contains(path) && !pattern!(r"^[A-Za-z0-9:_.\\@-]{1,250}$").is_match(path) {
            return Err(format!("a unit may not be called `{path}`"));
        }
        for found in
            pattern!(r"[A-Za-z0-9_.\\@-]+\.(?:service|timer|target|socket|path)\b").find_iter(text)
        {
            let unit = found.as_str();
            let own = unit
                .strip_prefix(project)
                .is_some_and(|rest| rest.starts_with(['-', '.']));
            // A drop-in for every unit that begins so; a name that goes on is none of these.
            let goes_on = text[found.end()..].starts_with(['.', '-', '*']);
            if own && !goes_on {
                let template = pattern!(r"@[^.]*\.").replace(unit, "@.");
                known("unit", &template, there.iter().copied())
                    .map_err(|problem| format!("{path}: {problem}"))?;
            }
        }
        if there.contains(path) {
            for found in pattern!(r"(?m)^(?:User|Group)=(\S+)$").captures_iter(text) {
                known(
                    "user",
                    &found[1],
                    users.iter().map(String::as_str).chain(["root", "nobody"]),
                )
                .map_err(|problem| format!("{path}: {problem}"))?;
            }
        }
    }
    Ok(())
}

/// Every configuration of Nginx of a set.
pub(super) fn nginx(files: &FileSet) -> Checked {
    for (path, file) in files
        .into_iter()
        .filter(|(path, _)| path.ends_with("nginx.conf"))
    {
        configuration(&file.text).map_err(|problem| format!("{path}: {problem}"))?;
    }
    Ok(())
}

fn configuration(text: &str) -> Checked {
    let first = |found: regex::Captures<'_>| found[1].to_owned();
    let all = |pattern: &regex::Regex| pattern.captures_iter(text).map(first).collect::<Vec<_>>();
    let upstreams = all(pattern!(r"(?m)^\s*upstream (\S+) \{"));
    super::reading::unique("upstreams", upstreams.iter().map(String::as_str))?;
    let zones = all(pattern!(
        r"(?m)^\s*limit_(?:req|conn)_zone .*zone=([^:\s]+):"
    ));
    super::reading::unique("zones", zones.iter().map(String::as_str))?;
    let formats = all(pattern!(r"(?m)^\s*log_format (\S+) "));
    for name in all(pattern!(
        r"(?m)^\s*(?:proxy|grpc)_pass \w+://([^:/;$]+)[/;]"
    )) {
        let host = name.contains('.') || name == "localhost";
        if !host {
            known("upstream", &name, upstreams.iter().map(String::as_str))?;
        }
    }
    let used = all(pattern!(r"(?m)^\s*limit_req zone=([^\s;]+)"));
    for zone in used
        .iter()
        .chain(&all(pattern!(r"(?m)^\s*limit_conn (\S+) \d")))
    {
        known("zone", zone, zones.iter().map(String::as_str))?;
    }
    for format in all(pattern!(r"(?m)^\s*access_log \S+ ([a-z]\w*)")) {
        known("log_format", &format, formats.iter().map(String::as_str))?;
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let set = |service: &str| {
        systemd(&super::reading::set(&[
            ("shop.target", "Wants=shop-web.service"),
            ("sysusers.d/shop.conf", "u shop -"),
            ("shop-web.service", service),
        ]))
    };
    assert_eq!(set("After=network.target shop.target\nUser=shop"), Ok(()));
    assert!(
        set("After=shop-db.service")
            .unwrap_err()
            .contains("unit `shop-db.service`")
    );
    assert!(set("User=shops").unwrap_err().contains("user `shops`"));
    let script = "put 0644 /etc/systemd/system/shop.target <<'END'\nWants=shop-web.service\nEND\n\
                  put 0644 /etc/systemd/system/shop-web.service <<'END'\nx\nEND\nsystemctl start shop-web.service\n";
    super::reading::proves(
        userdata,
        "user-data.sh",
        script,
        &[
            ("start shop-web", "start shop-db", "unit `shop-db.service`"),
            ("shop-web.service <<", "shop.target <<", "written twice"),
        ],
    );
    let whole = "upstream web {\n}\nlimit_req_zone $x zone=a:1m;\nlimit_req zone=a burst=1;\nlog_format json 'x';\n\
                 access_log /x json;\nproxy_pass http://web;\n";
    super::reading::proves(
        nginx,
        "nginx.conf",
        whole,
        &[
            ("http://web", "http://api", "upstream `api`"),
            ("zone=a burst", "zone=b burst", "zone `b`"),
            ("/x json", "/x text", "log_format `text`"),
        ],
    );
}

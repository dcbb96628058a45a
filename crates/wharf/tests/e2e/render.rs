//! Rendered folders: written, checked, guarded against loss, and told about in words.

use std::fs;

use crate::stack::Stack;

const FILE: &str = "\
name: shop
services:
  backend: { build: { context: ., language: rust }, port: 5000, replicas: 3 }
routes: [{ paths: { /: backend } }]
environments:
  prod: { target: kubernetes }
";

#[test]
fn a_hand_edit_is_shown_and_not_lost() {
    let stack = Stack::new(FILE);
    let render = ["render", "kubernetes", "-e", "prod", "-o", "out"];
    stack.run(&render).succeeded();
    let check = stack.run(&[&render[..], &["--check"]].concat());
    assert_eq!(check.status, Some(0), "{}", check.errors);

    let folder = stack.folder().join("out/kubernetes");
    let file = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            fs::read_to_string(path).is_ok_and(|text| text.contains("containerPort: 5000"))
        })
        .unwrap();
    let rendered = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        rendered.replace("containerPort: 5000", "containerPort: 5001"),
    )
    .unwrap();

    let check = stack.run(&[&render[..], &["--check"]].concat());
    assert_eq!(check.status, Some(3), "{}", check.errors);
    for part in [
        "changed by hand",
        "containerPort: 5001",
        "containerPort: 5000",
        "@@",
    ] {
        assert!(check.output.contains(part), "{part} in {}", check.output);
    }
    stack
        .run(&render)
        .failed_saying(&["changed by hand", "--force"]);
    assert!(fs::read_to_string(&file).unwrap().contains("5001"));
    stack.run(&[&render[..], &["--force"]].concat()).succeeded();
    assert_eq!(fs::read_to_string(&file).unwrap(), rendered);
}

#[test]
fn a_plan_tells_what_would_change_in_words() {
    let stack = Stack::new(FILE);
    stack
        .run(&["render", "kubernetes", "-e", "prod"])
        .succeeded();
    let plan = ["plan", "-e", "prod"];
    let done = stack.run(&plan);
    assert_eq!(done.status, Some(0), "{}{}", done.output, done.errors);

    stack.write(&FILE.replace("replicas: 3", "replicas: 4"));
    let done = stack.run(&plan);
    assert_eq!(done.status, Some(3), "{}", done.errors);
    assert!(
        done.output.contains("service backend: 3 -> 4 replicas"),
        "{}",
        done.output
    );
    assert!(done.errors.contains("would change"), "{}", done.errors);
}

#[test]
fn what_is_not_rendered_any_more_is_deleted_and_nothing_else() {
    let two = FILE.replace(
        "routes:",
        "  worker: { build: { context: ., language: rust }, command: ./worker }\nroutes:",
    );
    let stack = Stack::new(&two);
    let render = ["render", "kubernetes", "-e", "prod", "-o", "out"];
    stack.run(&render).succeeded();
    let folder = stack.folder().join("out/kubernetes");
    let of_worker = || {
        let files = fs::read_dir(&folder).unwrap();
        files
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().contains("worker")
            })
            .count()
    };
    assert!(of_worker() > 0);
    fs::write(folder.join("mine.txt"), "not wharf's").unwrap();
    stack.write(FILE);
    stack.run(&render).succeeded();
    assert_eq!(of_worker(), 0);
    assert!(folder.join("mine.txt").exists());
}

#[test]
fn nothing_outside_of_the_folder_is_deleted() {
    let stack = Stack::new(FILE);
    let render = ["render", "kubernetes", "-e", "prod", "-o", "out"];
    stack.run(&render).succeeded();
    let manifest = stack.folder().join("out/.wharf-render.json");
    let text = fs::read_to_string(&manifest).unwrap();
    // The SHA-256 of nothing, which is what the file holds.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let hash = text.rfind("\"kubernetes/").unwrap();
    let outside = format!("\"../mine.txt\": \"{empty}\",\n      ");
    fs::write(
        &manifest,
        text[..hash].to_owned() + &outside + &text[hash..],
    )
    .unwrap();
    let mine = stack.folder().join("mine.txt");
    fs::write(&mine, "").unwrap();
    stack
        .run(&render)
        .failed_saying(&["outside of its folder", "delete it"]);
    assert!(mine.exists());
}

#[test]
fn an_unknown_target_is_told_with_the_nearest() {
    let stack = Stack::new(FILE);
    for (target, said) in [
        ("kubernets", "`kubernetes` is near"),
        ("terraform", "cloud"),
    ] {
        let done = stack.run(&["render", target, "-o", "out"]);
        assert_eq!(done.status, Some(2), "{}", done.errors);
        for part in [target, said] {
            assert!(done.errors.contains(part), "{part} in {}", done.errors);
        }
    }
}

//! Windows event data as a list of pairs, as converters from XML write it.

mod support;

use support::{decode, field};

const FIELDS: &[&str] =
    &["Channel", "Data", "EventID", "Image", "ProductName", "TargetUserName", "user.name"];

fn check(record: &str, expect: &[(&str, &str)]) {
    let batch = decode("auto", "2026-06-01T00:00:00Z", FIELDS, &[record.as_bytes()]);
    assert_eq!(batch.quarantined, [], "{record}");
    for name in FIELDS {
        let value = expect.iter().find(|(of, _)| of == name).map_or("", |(_, value)| value);
        assert_eq!(field(&batch, &batch.events[0], name), value, "{name} of {record}");
    }
}

#[test]
fn the_text_of_a_pair_goes_by_its_name() {
    for (name, text) in [("@Name", "#text"), ("Name", "text"), ("_Name", "__text")] {
        let pairs = format!(
            r#"[{{"{name}":"TargetUserName","{text}":"ann"}},{{"{name}":"Image"}},{{"{text}":"C:\\x.exe","{name}":"Product Name"}}]"#
        );
        for (head, tail) in
            [("{\"Event\":{\"EventData\":{\"Data\":", "}}}"), ("{\"EventData\":{\"Data\":", "}}")]
        {
            check(
                &format!("{head}{pairs}{tail}"),
                &[("ProductName", r"C:\x.exe"), ("TargetUserName", "ann"), ("user.name", "ann")],
            );
        }
    }
    let nested = r##"{"Event":{"System":{"EventID":{"#text":4625}},"EventData":{"Data":{"#attributes":{"Name":"TargetUserName"},"#text":"ann"}}}}"##;
    check(nested, &[("EventID", "4625"), ("TargetUserName", "ann"), ("user.name", "ann")]);
}

#[test]
fn a_text_is_never_given_the_name_of_another_pair() {
    check(r##"{"EventData":{"Data":[{"@Name":"Image"},{"#text":"x"}]}}"##, &[]);
    check(r##"{"EventData":{"Data":[{"#text":"x"},{"@Name":"Image"}]}}"##, &[]);
    check(r##"{"EventData.Data.@Name":"Image","EventData":{"Data":{"#text":"x"}}}"##, &[]);
    check(r##"{"EventData":{"Data":{"@Name":"Image"}},"EventData.Data.#text":"x"}"##, &[]);
    check(r##"{"EventData.Data.@Name":"Image","EventData.Data.#text":"x"}"##, &[]);
    check(r##"{"EventData":{"Data":[{"@Name":["Image"],"#text":"x"}]}}"##, &[("Image", "x")]);
    check(r##"{"EventData":{"Data":[{"@Name":{"a":1},"#text":"x"}]}}"##, &[]);
    check(r##"{"EventData":{"Data":["x","y"]}}"##, &[("Data", "x")]);
}

#[test]
fn the_older_names_of_winlogbeat() {
    check(
        r#"{"event_id":4625,"log_name":"Security","event_data":{"TargetUserName":"ann"}}"#,
        &[("Channel", "Security"), ("EventID", "4625"), ("TargetUserName", "ann"), ("user.name", "ann")],
    );
}

use super::import::{SessionClock, mapped};
use super::*;
use crate::csv::RecordingError;

fn read(text: &str) -> Result<Trace, RecordingError> {
    Trace::read(text.as_bytes())
}

fn written(trace: &Trace) -> String {
    String::from_utf8(trace.write(Vec::new()).unwrap()).unwrap()
}

fn refused(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

const ALL: &str =
    "time_s,model,user,session,turn,prompt_tokens,output_tokens,reused_tokens,think_time_s,load_s\n";

#[test]
fn all_columns_are_read_and_written_again_to_the_bit() {
    let text = format!(
        "{ALL}0,a,\u{e9};1,s,1,100,5,64,0,22.7\n\
         0.000001,\"b,\"\"x\"\"\",,,0,0,0,0,0,0.1\n\
         1700158546.68059,,\u{e9};1,s,2,4294967295,1,7,12.5,\n\
         1700158546.68059,a,u,t,3,1,1,1,1000000000,22.7\n"
    );
    let trace = read(&text).unwrap();
    assert_eq!(written(&trace), text);
    assert_eq!(trace.times_us(), [0, 1, 1_700_158_546_680_590, 1_700_158_546_680_590]);
    assert_eq!(trace.models(), ["a", "b,\"x\""]);
    assert_eq!((trace.load_s(0), trace.load_s(1)), (Some(22.7), Some(0.1)));
    assert_eq!(
        (trace.model(2), trace.user(1), trace.user(2), trace.num_users()),
        (None, None, Some(0), Some(2))
    );
    assert!(trace.notes().is_empty());
}

#[test]
fn times_are_whole_microseconds_and_columns_may_come_in_any_order() {
    let trace = read("service,time_s\r\na,1.2345678\r\n,1.5e0\r\nb,2.0000004").unwrap();
    assert_eq!(trace.times_us(), [1_234_568, 1_500_000, 2_000_000]);
    assert_eq!((trace.models(), trace.num_users()), (vec!["a", "b"], None));
    assert_eq!(written(&trace), "time_s,model\n1.234568,a\n1.5,\n2,b\n");
}

#[test]
fn rows_out_of_order_are_sorted_ties_keep_theirs_and_names_are_numbered_by_time() {
    let trace = read("time_s,model,user,load_s\n5,z,u,9\n2,y,v,8\n5,y,u,8\n2,z,w,9\n1,x,v,\n").unwrap();
    assert_eq!(written(&trace), "time_s,model,user,load_s\n1,x,v,\n2,y,v,8\n2,z,w,9\n5,z,u,9\n5,y,u,8\n");
    assert_eq!(trace.models(), ["x", "y", "z"]);
    assert_eq!([0, 1, 2].map(|model| trace.load_s(model)), [None, Some(8.0), Some(9.0)]);
    assert_eq!([0, 1, 2, 3, 4].map(|row| trace.user(row)), [0, 0, 1, 2, 2].map(Some));
    assert_eq!(trace.notes(), ["3 rows were earlier than the row before: all were sorted by time"]);
}

#[test]
fn what_is_no_recording_is_refused_with_line_column_value_and_what_is_allowed() {
    let all = |row: &str| refused(&format!("{ALL}{row}\n"));
    let value = |column: &str, value: &str, expected: &str| {
        format!("line 2, column `{column}`: {value:?} is not allowed; expected {expected}")
    };
    let whole = "nothing, or a whole number from 0 to 4294967295";
    let name = "nothing, or a name of 1 to 256 bytes without control characters";
    let load = "nothing, or the same seconds, 0 to 1000000000, in every row of a model, and a model";
    let seconds = "seconds, 0 to 4000000000";
    for (row, expected) in [
        ("-1,,,,,,,,,", value("time_s", "-1", seconds)),
        (",,,,,,,,,", value("time_s", "", seconds)),
        ("4000000001,,,,,,,,,", value("time_s", "4000000001", seconds)),
        ("2023-11-16 18:15:46,,,,,,,,,", value("time_s", "2023-11-16 18:15:46", seconds)),
        ("0,a\u{7},,,,,,,,", value("model", "a\u{7}", name)),
        ("0,,,,-1,,,,,", value("turn", "-1", whole)),
        ("0,,,,,1.5,,,,", value("prompt_tokens", "1.5", whole)),
        ("0,,,,,,4294967296,,,", value("output_tokens", "4294967296", whole)),
        ("0,,,,,7,,8,,", value("reused_tokens", "8", "at most the tokens of the prompt, 7")),
        ("0,,,,,,,,inf,", value("think_time_s", "inf", "nothing, or seconds, 0 to 1000000000")),
        ("0,,,,,,,,,3", value("load_s", "3", load)),
        ("0,a,,,,,,,,NaN", value("load_s", "NaN", load)),
    ] {
        assert_eq!(all(row), expected, "{row}");
    }
    let two = refused("time_s,model,load_s\n0,a,1\n1,a,2\n");
    assert!(two.starts_with("line 3, column `load_s`: \"2\" is not allowed"), "{two}");
    for (text, expected) in [
        ("", "line 1: the file is empty, expected a line of column names"),
        ("time_s,model\n", "line 1: no request follows the column names"),
        ("model\na\n", "line 1: no column is `time_s`, which every recording has; the columns are \"model\""),
        ("time_s,model,service\n0,a,b\n", "line 1: column `model` is there twice; each once"),
        (
            "time_s,modle\n0,a\n",
            "line 1: column `modle` is none of time_s, model or service, user, session, turn, prompt_tokens, output_tokens, \
             reused_tokens, think_time_s, load_s; the columns are \"time_s,modle\"; `thoughtcache trace import --map` takes what it \
             needs from other tables",
        ),
    ] {
        assert_eq!(refused(text), expected, "{text}");
    }
    let semicolons = refused("time_s;model\n0;a\n");
    assert!(semicolons.contains("columns are separated by commas"), "{semicolons}");
}

#[test]
fn whole_numbers_may_be_written_with_a_point_and_nothing_is_none() {
    let trace = read("time_s,prompt_tokens,turn\n0,120.0,\n1,,7\n").unwrap();
    assert_eq!(trace.column(Column::PromptTokens), [120, 0]);
}

fn import(text: &str, maps: &[&str], clock: Option<SessionClock>) -> Result<Trace, RecordingError> {
    let maps: Vec<_> = maps.iter().map(|map| map.parse().unwrap()).collect();
    mapped(text.as_bytes(), &maps, clock)
}

#[test]
fn columns_of_other_tables_are_mapped_scaled_and_counted_from_the_first_request() {
    let text = "id,ms,what,in,blocks,extra\n7,1700000001500,m/x,100,2,\"a\nb\"\n8,1700000000000,m/y,90,1,c\n";
    let maps = ["time_s=ms*0.001", "service=what", "prompt_tokens=in", "reused_tokens=blocks*64"];
    let trace = import(text, &maps, None).unwrap();
    let expected = "time_s,model,prompt_tokens,reused_tokens\n0,m/y,90,64\n1.5,m/x,100,100\n";
    assert_eq!(written(&trace), expected);
    assert_eq!(
        trace.notes(),
        [
            "1 rows reuse more tokens than their prompt has: taken as all of it",
            "1 row was earlier than the row before: all were sorted by time",
        ]
    );
    let error = import(text, &["time_s=time"], None).unwrap_err().to_string();
    assert_eq!(error, "line 1: no column `time`; the columns are \"id,ms,what,in,blocks,extra\"");
}

#[test]
fn instants_are_told_apart_to_the_nanosecond() {
    let text = "TIMESTAMP,n\n2023-11-16 18:00:01.0000009,3\n2023-11-16 18:00:01.0000001,2\n2023-11-16T18:00:00.0000001Z,1\n";
    let trace = import(text, &["time_s=TIMESTAMP", "turn=n"], None).unwrap();
    assert_eq!(written(&trace), "time_s,turn\n0,1\n1,2\n1,3\n");
    for (wrong, value) in [
        ("2023-02-29 00:00:00", 0),
        ("2023-01-01 00:00:60", 1),
        ("1969-12-31 23:59:59", 2),
        ("2023-11-16", 3),
    ] {
        let error = import(&format!("t\n{wrong}\n"), &["time_s=t"], None).unwrap_err().to_string();
        assert!(error.contains("an instant like 2023-11-16 18:15:46.68"), "{value}: {error}");
    }
    // Milliseconds of an instant mean nothing.
    let error = import(text, &["time_s=TIMESTAMP*0.001"], None).unwrap_err().to_string();
    assert!(error.ends_with("expected seconds, 0 to 4000000000"), "{error}");
}

#[test]
fn sessions_whose_clocks_begin_anew_start_at_random_at_the_rate_that_was_asked_for() {
    let rows: String = (0..2_000).flat_map(|s| [format!("s{s},0\n"), format!("s{s},7\n")]).collect();
    let text = format!("session,t\n{rows}");
    let clock = |seed| Some(SessionClock { sessions_per_s: 0.5, seed });
    let maps = ["time_s=t", "session=session"];
    let trace = import(&text, &maps, clock(3)).unwrap();
    assert_eq!(written(&trace), written(&import(&text, &maps, clock(3)).unwrap()));
    assert_ne!(written(&trace), written(&import(&text, &maps, clock(4)).unwrap()));
    // 2,000 exponential gaps of 2 s: 4,000 s with a deviation of 90 s.
    assert!((trace.last_us() as f64 / 1e6 - 4_000.0).abs() < 450.0, "{}", trace.last_us());
    // Every session still lasts 7 s.
    let mut begins = std::collections::BTreeMap::new();
    for (row, time_us) in trace.times_us().iter().enumerate() {
        let first = *begins.entry(trace.column(Column::Session)[row]).or_insert(*time_us);
        assert!([0, 7_000_000].contains(&(time_us - first)), "row {row}");
    }
    let late = SessionClock { sessions_per_s: 1e-12, seed: 0 };
    let late = import("session,t\na,0\nb,0\n", &maps, Some(late)).unwrap_err().to_string();
    assert!(late.starts_with("the last request is more than 4000000000 s after the first"), "{late}");
    let nameless = import("session,t\n,0\n", &maps, clock(1)).unwrap_err().to_string();
    assert_eq!(nameless, "request 1 names no session, whose clock its time is");
    let missing = import("session,t\na,0\n", &["time_s=t"], clock(1)).unwrap_err().to_string();
    assert_eq!(missing, "line 1: no column is `session`, whose clock the time is");
}

#[test]
fn mappings_that_cannot_be_meant_are_refused() {
    let refused = |text: &str| text.parse::<columns::Mapping>().unwrap_err();
    assert_eq!(refused("time_s"), "expected COLUMN=NAME or COLUMN=NAME*FACTOR");
    assert_eq!(refused("time_s=a*x"), "the factor is \"x\", expected a number from 1e-12 to 1e12");
    assert_eq!(refused("user=a*2"), "column `user` holds names, which have no factor");
    assert_eq!(refused("turn="), "the name of the table's column is missing behind `=`");
    assert!(refused("time=a").starts_with("column `time` is none of time_s, model or service"));
}

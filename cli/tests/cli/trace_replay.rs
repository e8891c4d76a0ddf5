use super::{Desk, repository};
use flate2::{Compression, write::GzEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::Write;

/// Records of libCacheSim's oracleGeneral: object and size, with a time and a next request that nobody reads.
fn records(requests: &[(u64, u32)]) -> Vec<u8> {
    let record = |&(object, size): &(u64, u32)| {
        [&7_u32.to_le_bytes()[..], &object.to_le_bytes(), &size.to_le_bytes(), &[0xff; 8]].concat()
    };
    requests.iter().flat_map(record).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Twelve requests for five objects of two sizes, one of them large, and a record of size 0.
fn sized() -> Vec<u8> {
    let size = |object| if object == 4 { 6000 } else { 1000 };
    let requests = [1, 2, 1, 3, 1, 4, 2, 3, 5, 1, 4, 2].map(|object| (object, size(object)));
    records(&[&requests[..], &[(9, 0)]].concat())
}

#[test]
fn rules_are_counted_and_what_none_can_beat_is_told() {
    let desk = Desk::new();
    std::fs::write(desk.path("t.bin"), sized()).unwrap();
    std::fs::write(desk.path("t.bin.gz"), gzip(&sized())).unwrap();
    std::fs::write(desk.path("t.bin.zst"), [zstd(&sized()[..48]), zstd(&sized()[48..])].concat()).unwrap();
    insta::assert_snapshot!(desk.transcript(&[
        "trace replay t.bin --capacity 3kB,8000",
        "trace replay t.bin.gz --policy min,lru --policy bound --capacity 3000 --quiet",
        "trace replay t.bin.zst --unit-sizes --capacity 2 --policy lru,bound",
        "trace replay t.bin --policy lru,bound --capacity 1KiB,8000 --out-csv -",
        "trace replay t.bin --policy lru --capacity 3000 --out-csv misses.csv",
    ]));
    assert!(desk.read("misses.csv").starts_with("policy,capacity,kind,requests,misses,"));
    let plain = desk.run("trace replay t.bin --policy all --capacity 3000 --json").expect(0).json();
    assert_eq!((plain["requests"].as_u64(), plain["objects"].as_u64()), (Some(12), Some(5)));
    assert_eq!((plain["empty_records"].as_u64(), plain["rows"].as_array().unwrap().len()), (Some(1), 11));
    for row in plain["rows"].as_array().unwrap() {
        let is_timed = row["requests_per_s"].as_f64().is_some_and(|speed| speed > 0.0);
        assert_eq!(is_timed, row["policy"] != "bound", "{row}");
    }
    // However it is packed, the same is counted.
    for packed in ["t.bin.gz", "t.bin.zst"] {
        let rows = desk.run(&format!("trace replay {packed} --capacity 3000 --out-csv -")).expect(0).stdout;
        assert_eq!(rows, desk.run("trace replay t.bin --capacity 3000 --out-csv -").expect(0).stdout);
    }
}

#[test]
fn what_is_no_trace_is_told_with_its_place() {
    let desk = Desk::new();
    let (whole, gz, zst) = (sized(), gzip(&sized()), zstd(&sized()));
    let flipped = |packed: &[u8], from_end: usize| {
        let mut packed = packed.to_vec();
        let at = packed.len() - from_end;
        packed[at] ^= 1;
        packed
    };
    let files = [
        ("empty", Vec::new()),
        ("cut", whole[..100].to_vec()),
        ("zeros", vec![0; 240]),
        ("text", b"time,object,size\n".to_vec()),
        ("cut.gz", gz[..gz.len() - 20].to_vec()),
        ("damaged.gz", flipped(&gz, 6)),
        ("cut.zst", zst[..zst.len() - 20].to_vec()),
        ("damaged.zst", flipped(&zst, 2)),
        ("behind.zst", [&zst[..], b"more"].concat()),
    ];
    let mut text = String::new();
    for (name, bytes) in &files {
        std::fs::write(desk.path(name), bytes).unwrap();
        let outcome = desk.run(&format!("trace replay {name} --capacity 3000 --out-csv never.csv")).expect(2);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.transcript());
        text += &outcome.transcript();
    }
    std::fs::create_dir(desk.path("folder")).unwrap();
    std::fs::write(desk.path("t.bin"), &whole).unwrap();
    for line in [
        "trace replay folder --capacity 3000",
        "trace replay missing --capacity 3000",
        "trace replay t.bin --capacity 3000 --out-csv folder",
    ] {
        text += &desk.run(line).expect(2).transcript();
    }
    insta::assert_snapshot!(text);
    assert!(!desk.path("never.csv").exists());
}

/// The table of the page about traces, which is the output of its command.
#[test]
fn the_table_of_the_page_is_what_the_command_prints() {
    let name = "gentd26_unit.oracleGeneral.bin.gz";
    let file = repository("../shared/data/libcachesim").join(name);
    if !file.exists() {
        println!("skipped: recorded data ../shared/data/libcachesim/{name} is not here");
        return;
    }
    let line = format!("--json trace replay {} --capacity 1,2,4,8,16", file.display());
    let document = Desk::new().run(&line).expect(0).json();
    let rows = document["rows"].as_array().unwrap();
    let page = std::fs::read_to_string(repository("docs/trace-format.md")).unwrap();
    for row in rows.iter().take(11) {
        let policy = row["policy"].as_str().unwrap();
        let of_policy = rows.iter().filter(|row| row["policy"] == policy);
        let cells = of_policy.map(|row| format!(" {:.4} |", row["miss_ratio"].as_f64().unwrap()));
        let expected = format!("| `{policy}` |{}", cells.collect::<String>());
        assert!(page.contains(&expected), "{expected}");
    }
}

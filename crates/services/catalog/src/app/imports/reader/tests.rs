//! Files of both formats, whole and in pieces.

use super::*;

/// Everything that is read of a file which arrives in chunks of `size` bytes.
fn pieces(format: Format, file: &[u8], skip: u64, size: usize) -> Vec<Piece> {
    let (chunks_in, chunks) = mpsc::channel(file.len().max(1));
    for chunk in file.chunks(size) {
        chunks_in.try_send(Ok(chunk.to_vec())).unwrap();
    }
    let (out, mut rows) = mpsc::channel(1000);
    read(format, Pipe::new(chunks, file.len() as u64), skip, &out);
    std::iter::from_fn(|| rows.try_recv().ok()).collect()
}

/// Number and SKU, or the field at fault and its code, of each row.
fn told(pieces: &[Piece]) -> Vec<(u64, String)> {
    let told = |piece: &Piece| match piece {
        Piece::Row { number, row: Ok(row), .. } => Some((*number, row.sku.as_ref().unwrap().to_string())),
        Piece::Row { number, row: Err(fault), .. } => Some((*number, format!("{} {}", fault.field, fault.code))),
        Piece::Unreadable(fault) => Some((fault.row, fault.code.clone())),
        Piece::Broken(error) => Some((0, error.kind().to_string())),
        Piece::End => None,
    };
    pieces.iter().filter_map(told).collect()
}

fn rows(rows: &[(u64, &str)]) -> Vec<(u64, String)> {
    rows.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

#[test]
fn csv_is_read_alike_however_it_arrives() {
    let file = b"sku,name,price.amount\r\na,\"A, with \"\"marks\"\"\nand lines\",\r\nb,B,x\nc,C\nd,\xff,1\n\ne,E,";
    for size in [1, 2, 7, 1000] {
        let read = pieces(Format::Csv, file, 0, size);
        let faults = [(2, "price.amount malformed_row"), (3, " malformed_row"), (4, "name malformed_row")];
        assert_eq!(told(&read), rows(&[&[(1, "a")][..], &faults, &[(5, "e")]].concat()), "{size}");
        assert!(matches!(read.last(), Some(Piece::End)));
        let Some(Piece::Row { row: Ok(row), .. }) = read.first() else { panic!("{read:?}") };
        assert_eq!(row.name.as_deref(), Some("A, with \"marks\"\nand lines"));
        let Some(Piece::Row { end, .. }) = read.iter().rev().nth(1) else { panic!("{read:?}") };
        assert_eq!(*end, file.len() as u64);
        assert_eq!(told(&pieces(Format::Csv, file, 4, size)), rows(&[(5, "e")]));
    }
}

#[test]
fn ndjson_is_read_alike_however_it_arrives() {
    let file = b"{\"sku\":\"a\"}\r\n\n{\"sku\":1}\n{\"sku\":\"c\",\"x\":1}\n[]\n{\n{\"sku\":\"f\",\"sku\":\"g\"}\n{\"sku\":\"h\"}";
    for size in [1, 3, 1000] {
        let read = pieces(Format::Ndjson, file, 0, size);
        let faults = [
            (2, "sku malformed_row"),
            (3, "x unknown_field"),
            (4, " malformed_row"),
            (5, " malformed_row"),
            (6, "sku malformed_row"),
        ];
        assert_eq!(told(&read), rows(&[&[(1, "a")][..], &faults, &[(7, "h")]].concat()), "{size}");
        let Some(Piece::Row { end, .. }) = read.iter().rev().nth(1) else { panic!("{read:?}") };
        assert_eq!(*end, file.len() as u64);
        assert_eq!(told(&pieces(Format::Ndjson, file, 6, size)), rows(&[(7, "h")]));
    }
}

#[test]
fn a_row_that_is_too_large_is_a_fault_and_the_next_one_is_read() {
    let long = "x".repeat(3 * MAX_ROW_BYTES);
    let ndjson = format!("{{\"sku\":\"a\",\"name\":\"{long}\"}}\n{{\"sku\":\"b\"}}\n");
    assert_eq!(told(&pieces(Format::Ndjson, ndjson.as_bytes(), 0, 4096)), rows(&[(1, " row_too_large"), (2, "b")]));
    let csv = format!("sku,name\na,{long}\nb,B\n");
    assert_eq!(told(&pieces(Format::Csv, csv.as_bytes(), 0, 4096)), rows(&[(1, " row_too_large"), (2, "b")]));
    let last = format!("{{\"sku\":\"a\"}}\n\"{long}");
    assert_eq!(told(&pieces(Format::Ndjson, last.as_bytes(), 0, 4096)), rows(&[(1, "a"), (2, " row_too_large")]));
}

#[test]
fn a_row_of_csv_may_be_as_large_as_a_row_of_json_and_not_a_byte_larger() {
    // With the SKU, which is one byte.
    let file = |bytes: usize| format!("sku,name\na,\"{}\"\nb,B\n", &"x\n".repeat(bytes)[..bytes - 1]);
    for size in [7, 1 << 20] {
        let fits = pieces(Format::Csv, file(MAX_ROW_BYTES).as_bytes(), 0, size);
        assert_eq!(told(&fits), rows(&[(1, "a"), (2, "b")]), "{size}");
        let larger = pieces(Format::Csv, file(MAX_ROW_BYTES + 1).as_bytes(), 0, size);
        assert_eq!(told(&larger), rows(&[(1, " row_too_large"), (2, "b")]), "{size}");
    }
    let last = format!("sku,name\na,A\nb,\"{}", "x".repeat(5 * MAX_ROW_BYTES));
    for (file, fault) in [(format!("{last}\""), " row_too_large"), (last, "unclosed_quote")] {
        assert_eq!(told(&pieces(Format::Csv, file.as_bytes(), 0, 4096)), rows(&[(1, "a"), (2, fault)]));
        assert_eq!(told(&pieces(Format::Csv, file.as_bytes(), 1, 4096)), rows(&[(2, fault)]));
    }
    let header = "x".repeat(MAX_ROW_BYTES + 1);
    assert_eq!(told(&pieces(Format::Csv, header.as_bytes(), 0, 4096)), rows(&[(0, "row_too_large")]));
}

#[test]
fn a_row_of_csv_with_very_many_cells_is_a_fault_and_the_next_one_is_read() {
    let fault = (1, " malformed_row");
    for cells in [3, MOST_CELLS, MOST_CELLS + 1, 1000] {
        let file = format!("sku,name\na{}\nb,B\n", ",".repeat(cells - 1));
        assert_eq!(told(&pieces(Format::Csv, file.as_bytes(), 0, 50)), rows(&[fault, (2, "b")]), "{cells}");
    }
    let last = format!("sku\na{}", ",".repeat(MOST_CELLS));
    assert_eq!(told(&pieces(Format::Csv, last.as_bytes(), 0, 50)), rows(&[fault]));
    let header = format!("sku{}", ",".repeat(MOST_CELLS));
    assert_eq!(told(&pieces(Format::Csv, header.as_bytes(), 0, 50)), rows(&[(0, "malformed_row")]));
}

#[test]
fn a_file_without_a_header_is_not_csv() {
    for (file, code) in [("", "missing_column"), ("mug,5\n", "unknown_column"), ("name\nMug\n", "missing_column")] {
        assert_eq!(told(&pieces(Format::Csv, file.as_bytes(), 0, 10)), rows(&[(0, code)]), "{file}");
    }
    assert!(told(&pieces(Format::Csv, b"sku\n", 0, 10)).is_empty());
    assert!(matches!(pieces(Format::Ndjson, b"", 0, 10).as_slice(), [Piece::End]));
}

#[test]
fn a_quotation_that_nothing_ends_fails_the_file_at_the_row_where_it_began() {
    for (file, begins) in [
        ("sku,name\na,A\nb,\"B\nc,C\nd,D\n", 2),
        ("sku,name,slug\na,A,a\nb,\"B,b\nc,C,c\n", 2),
        ("sku,name\na,A\nb,B\nc,\"", 3),
        ("sku,name\na,\"A \"\"1\"\"\n", 1),
        ("sku,\"name\na,A\n", 0),
    ] {
        for size in [1, 7, 1000] {
            let read = pieces(Format::Csv, file.as_bytes(), 0, size);
            let before = [(1, "a"), (2, "b")].into_iter().filter(|(number, _)| *number < begins);
            assert_eq!(told(&read), rows(&before.chain([(begins, "unclosed_quote")]).collect::<Vec<_>>()), "{file}");
            assert!(matches!(read.last(), Some(Piece::Unreadable(_))), "{read:?}");
        }
    }
    for end in ["", "\n", "\r", "\r\n", "\n\n"] {
        for size in [1, 1000] {
            let file = format!("sku,name\na,\"A\n\"\"1\"\"\"{end}");
            let read = pieces(Format::Csv, file.as_bytes(), 0, size);
            assert_eq!(told(&read), rows(&[(1, "a")]), "{file:?}");
            assert!(matches!(read.last(), Some(Piece::End)), "{read:?}");
            let Some(Piece::Row { end, .. }) = read.first() else { panic!("{read:?}") };
            assert!(*end <= file.len() as u64, "{end} of {file:?}");
        }
    }
}

#[test]
fn a_mark_of_utf_8_before_the_first_row_is_no_part_of_it() {
    let (csv, ndjson) = ("\u{feff}sku\na\nb\n", "\u{feff}{\"sku\":\"a\"}\n{\"sku\":\"b\"}\n");
    for (format, file) in [(Format::Csv, csv), (Format::Ndjson, ndjson), (Format::Ndjson, &ndjson.replace('{', "\n{"))]
    {
        assert_eq!(told(&pieces(format, file.as_bytes(), 0, 1000)), rows(&[(1, "a"), (2, "b")]), "{file}");
        assert_eq!(told(&pieces(format, file.as_bytes(), 1, 1000)), rows(&[(2, "b")]), "{file}");
    }
    assert!(matches!(pieces(Format::Ndjson, b"\xef\xbb\xbf", 0, 10).as_slice(), [Piece::End]));
}

#[test]
fn an_upload_that_breaks_off_is_not_taken_for_its_end() {
    for format in [Format::Csv, Format::Ndjson] {
        let (chunks_in, chunks) = mpsc::channel(1);
        chunks_in.try_send(Ok(b"sku\nmug\n".to_vec())).unwrap();
        drop(chunks_in);
        let (out, mut rows) = mpsc::channel(10);
        read(format, Pipe::new(chunks, 100), 0, &out);
        let read: Vec<_> = std::iter::from_fn(|| rows.try_recv().ok()).collect();
        assert!(matches!(read.last(), Some(Piece::Broken(_))), "{read:?}");
    }
}

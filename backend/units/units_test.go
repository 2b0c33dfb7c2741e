package units

import "testing"

func TestSizesAreWrittenAsPeopleReadThem(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 999_499: "999 kB", 999_500: "1 MB", 98_362_432: "98 MB", 999_499_999: "999 MB", 999_500_000: "1.0 GB", 12_345_678_901: "12.3 GB",
	} {
		if got := Bytes(bytes); got != want {
			t.Errorf("%d is %s, want %s", bytes, got, want)
		}
	}
}

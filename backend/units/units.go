// Package units writes figures as people read them, and as the pages do.
package units

import "fmt"

// Bytes is so many bytes, such as 98 MB or 4.7 GB; in powers of ten, as the Finder counts.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 999_500:
		return fmt.Sprintf("%d kB", (n+500)/1000)
	case n < 999_500_000:
		return fmt.Sprintf("%d MB", (n+500_000)/1_000_000)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

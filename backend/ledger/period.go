package ledger

import (
	"fmt"
	"time"

	"mlxbar/backend/audit"
)

// Period is a run of days, the first and the last one included, of one time zone.
type Period struct {
	From, To time.Time // their midnights
	Zone     string    // by its name in the IANA database, or Local
}

const (
	usualDays = 30
	maxDays   = 3660
)

// ParsePeriod reads a period from named parameters: from, to and zone. Without from it is the thirty
// days up to to, without to up to today, and without zone the days are this machine's. It tells of every fault.
func ParsePeriod(get func(name string) string, now time.Time) (Period, []audit.FieldError) {
	var faults []audit.FieldError
	zone, err := time.LoadLocation(get("zone"))
	switch {
	case get("zone") == "":
		zone = time.Local
	case err != nil:
		faults = append(faults, audit.FieldError{Detail: "is a time zone such as Europe/Berlin", Location: "zone", Value: get("zone")})
		zone = time.Local
	}
	day := func(name string, otherwise time.Time) time.Time {
		text := get(name)
		if text == "" {
			return otherwise
		}
		at, err := time.ParseInLocation(time.DateOnly, text, zone)
		if err != nil || at.Year() < 1970 || at.Year() > 9000 {
			faults = append(faults, audit.FieldError{Detail: "is a day such as 2026-01-31", Location: name, Value: text})
			return otherwise
		}
		return at
	}
	y, m, d := now.In(zone).Date()
	p := Period{Zone: zone.String()}
	p.To = day("to", time.Date(y, m, d, 0, 0, 0, 0, zone))
	p.From = day("from", p.To.AddDate(0, 0, 1-usualDays))
	switch {
	case len(faults) > 0:
	case p.To.Before(p.From):
		faults = append(faults, audit.FieldError{Detail: "is not before from", Location: "to", Value: get("to")})
	case p.To.After(p.From.AddDate(0, 0, maxDays)):
		faults = append(faults, audit.FieldError{Detail: fmt.Sprintf("is at most %d days before to", maxDays), Location: "from", Value: get("from")})
	}
	return p, faults
}

// end is the midnight after the last day.
func (p Period) end() time.Time { return p.To.AddDate(0, 0, 1) }

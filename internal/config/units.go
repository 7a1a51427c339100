package config

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"
)

// Size is an amount of memory or disk in bytes. In the file it is a number with a unit: 512MiB, 1.5GiB, 500MB.
type Size int64

// The units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// SizePattern is the form of a Size as a regular expression (for the schema; letter case does not matter to ParseSize).
const SizePattern = `^[0-9]+(\.[0-9]+)? ?([KMGTkmgt][iI]?)?[bB]$`

// DurationPattern is the form of a Duration as a regular expression.
const DurationPattern = `^([0-9]+d)?([0-9]+(\.[0-9]+)?(h|ms|us|ns|m|s))*$`

type sizeUnit struct {
	name  string
	bytes Size
}

// sizeUnits lists the units, those that String prefers first.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
	}
}

var sizeForm = regexp.MustCompile(`^(-?)([0-9]{1,20}(?:\.[0-9]{1,20})?) ?([A-Za-z]*)$`)

// ParseSize reads a size with its unit (B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, in any letter case).
func ParseSize(s string) (Size, error) {
	m := sizeForm.FindStringSubmatch(strings.TrimSpace(s))
	switch {
	case m == nil:
		return 0, fmt.Errorf("must be a number with a unit, for example 512MiB or 2GiB")
	case m[1] != "":
		return 0, fmt.Errorf("must not be negative")
	case m[3] == "":
		return 0, fmt.Errorf("has no unit: write %sMiB, %sGiB or the like", m[2], m[2])
	}
	for _, u := range sizeUnits() {
		if !strings.EqualFold(u.name, m[3]) {
			continue
		}
		r, ok := new(big.Rat).SetString(m[2])
		if !ok {
			return 0, fmt.Errorf("must be a number with a unit, for example 512MiB or 2GiB")
		}
		r.Mul(r, new(big.Rat).SetInt64(int64(u.bytes)))
		whole := new(big.Int).Quo(r.Num(), r.Denom())
		if !whole.IsInt64() {
			return 0, fmt.Errorf("is larger than any machine: at most %s", Size(math.MaxInt64/int64(TiB))*TiB)
		}
		return Size(whole.Int64()), nil
	}
	return 0, fmt.Errorf("has the unknown unit %s: use B, KB, MB, GB, TB, KiB, MiB, GiB or TiB", m[3])
}

// String writes the size in the largest unit that divides it, so that ParseSize reads the same size back.
func (s Size) String() string {
	if s == 0 {
		return "0MiB"
	}
	for _, u := range sizeUnits() {
		if s%u.bytes == 0 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

// MiB is the size in whole mebibytes, rounded down, which is what Mesos and Marathon count in.
func (s Size) MiB() int { return int(s / MiB) }

// MarshalText writes the size as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the size as ParseSize does.
func (s *Size) UnmarshalText(b []byte) error {
	v, err := ParseSize(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// Duration is a time span. In the file it is one or more numbers with units: 10m, 2s, 1h30m, 4h, 1d.
type Duration time.Duration

var durationForm = regexp.MustCompile(`^(-?)(?:([0-9]{1,9})d)?((?:[0-9]{1,18}(?:\.[0-9]{1,18})?(?:h|ms|us|µs|ns|m|s))*)$`)

// ParseDuration reads a time span with units (d, h, m, s, ms, us, ns); a day is 24 hours.
func ParseDuration(s string) (Duration, error) {
	s = strings.TrimSpace(s)
	m := durationForm.FindStringSubmatch(s)
	if m == nil || (m[2] == "" && m[3] == "") {
		if regexp.MustCompile(`^[0-9.]+$`).MatchString(s) {
			return 0, fmt.Errorf("has no unit: write %ss, %sm or the like", s, s)
		}
		return 0, fmt.Errorf("must be a number with a unit, for example 30s, 10m, 4h or 1d")
	}
	if m[1] != "" {
		return 0, fmt.Errorf("must not be negative")
	}
	var total time.Duration
	if m[3] != "" {
		d, err := time.ParseDuration(m[3])
		if err != nil {
			return 0, fmt.Errorf("is longer than 292 years")
		}
		total = d
	}
	if m[2] != "" {
		var days int64
		if _, err := fmt.Sscan(m[2], &days); err != nil || days > int64((math.MaxInt64-total)/(24*time.Hour)) {
			return 0, fmt.Errorf("is longer than 292 years")
		}
		total += time.Duration(days) * 24 * time.Hour
	}
	return Duration(total), nil
}

// String writes the span without units that are zero: 10m, 1h30m, 48h.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Duration is the span as the standard library has it.
func (d Duration) Duration() time.Duration { return time.Duration(d) }

// MarshalText writes the span as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the span as ParseDuration does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err == nil {
		*d = v
	}
	return err
}

// Package version orders versions of Jenkins and its plugins as Jenkins itself does (hudson.util.VersionNumber).
package version

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"
)

// Version is a parsed version. Any text is one; the zero Version is that of the empty text.
type Version struct {
	text string
	// stamp is "-SNAPSHOT" or the time stamp of a deployed snapshot, empty for others.
	stamp string
	items []part
}

// Parse takes any text.
func Parse(text string) Version {
	v := Version{text: text}
	if at := snapshots.FindStringSubmatchIndex(text); at != nil {
		v.stamp = text[at[2]:at[3]]
		text = text[:at[2]] + literalSnapshot
	}
	v.items = scan(strings.ToLower(text))
	return v
}

// String is the text as it was given.
func (v Version) String() string { return v.text }

const literalSnapshot = "-SNAPSHOT"

var snapshots = regexp.MustCompile(`^.*(-\d{8}\.\d{6}-\d+|-SNAPSHOT)( \(.*\))?$`)

// Compare is negative where a is older than b, positive where it is newer.
func Compare(a, b string) int { return Parse(a).Compare(Parse(b)) }

// Older says whether version comes before than.
func Older(version, than string) bool { return Compare(version, than) < 0 }

// Compare is negative where v is older than other, positive where it is newer. As in Jenkins a literal snapshot and a time-stamped one
// of the same version are the same, and a wildcard compares differently from its two sides.
func (v Version) Compare(other Version) int {
	if c := compareLists(v.items, other.items); c != 0 {
		return c
	}
	switch {
	case v.stamp == other.stamp:
		return 0
	case v.stamp == "":
		return -1
	case other.stamp == "":
		return 1
	case v.stamp == literalSnapshot || other.stamp == literalSnapshot:
		return 0
	}
	// -YYYYMMDD.hhmmss-N
	return cmp.Or(cmp.Compare(v.stamp[:16], other.stamp[:16]), compareDigits(trimZeros(v.stamp[17:]), trimZeros(other.stamp[17:])))
}

type kind int

// The kinds in their order: what is of a later kind is newer at the same place.
const (
	word kind = iota
	list
	number
	wildcard
)

// part is a component: a word, a number, a wildcard, or the list that begins behind a dash between digits (1-2).
type part struct {
	kind kind
	// text is the word, or the digits without leading zeros (so zero is empty).
	text string
	list *[]part
}

// null says that the part adds nothing where it comes last: 1.0 is 1, and 1.0-ga too.
func (p part) null() bool {
	switch p.kind {
	case number:
		return p.text == ""
	case word:
		return rank(p.text) == rank("")
	case list:
		return len(*p.list) == 0
	}
	return false
}

// againstNothing compares with a version that ends before this part.
func (p part) againstNothing() int {
	switch {
	case p.kind == word:
		return cmp.Compare(rank(p.text), rank(""))
	case p.kind == list && len(*p.list) > 0:
		return (*p.list)[0].againstNothing()
	case p.null():
		return 0
	}
	return 1
}

func (p part) compare(other part) int {
	if p.kind == number && other.kind == wildcard {
		return 0 // and the other way round it is newer
	}
	if p.kind != other.kind {
		return cmp.Compare(p.kind, other.kind)
	}
	switch p.kind {
	case word:
		return cmp.Compare(rank(p.text), rank(other.text))
	case number:
		return compareDigits(p.text, other.text)
	case list:
		return compareLists(*p.list, *other.list)
	}
	return 0
}

func compareLists(a, b []part) int {
	for i := range max(len(a), len(b)) {
		c := 0
		switch {
		case i >= len(b):
			c = a[i].againstNothing()
		case i >= len(a):
			c = -b[i].againstNothing()
		default:
			c = a[i].compare(b[i])
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func compareDigits(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func trimZeros(digits string) string { return strings.TrimLeft(digits, "0") }

// rank makes words comparable as text: the known qualifiers first, in their order, then the others in theirs.
func rank(text string) string {
	switch text {
	case "snapshot":
		return "0"
	case "alpha":
		return "1"
	case "beta":
		return "2"
	case "milestone":
		return "3"
	case "rc":
		return "4"
	case "":
		return "5"
	case "sp":
		return "6"
	}
	return "7-" + text
}

// wordPart is a word; a single letter before a digit is short for a qualifier.
func wordPart(text string, beforeDigit bool) part {
	switch {
	case beforeDigit && text == "a":
		text = "alpha"
	case beforeDigit && text == "b":
		text = "beta"
	case beforeDigit && text == "m":
		text = "milestone"
	case text == "ga" || text == "final":
		text = ""
	case text == "cr" || text == "ea":
		text = "rc"
	}
	return part{kind: word, text: text}
}

// scanner takes a version apart. Lists nest: each begins inside the one before it.
type scanner struct {
	text  string
	start int
	// digits says that the last letter was a digit.
	digits bool
	nested []*[]part
}

func scan(text string) []part {
	root := &[]part{}
	s := scanner{text: text, nested: []*[]part{root}}
	for i, r := range text {
		s.next(i, r)
	}
	if len(text) > s.start {
		s.add(s.piece(len(text), false))
	}
	for i := len(s.nested) - 1; i >= 0; i-- {
		normalize(s.nested[i])
	}
	return *root
}

func (s *scanner) next(i int, r rune) {
	switch {
	case r == '.' || r == '-':
		if i == s.start {
			s.add(part{kind: number})
		} else {
			s.add(s.piece(i, false))
		}
		s.start = i + 1
		if r == '-' && s.digits {
			s.dash(i)
		}
	case r == '*':
		s.add(part{kind: wildcard})
		s.start = i + 1
	case r >= '0' && r <= '9':
		if !s.digits && i > s.start {
			s.add(s.piece(i, true))
			s.start = i
		}
		s.digits = true
	default:
		if i > s.start && (s.digits || unicode.IsSpace(r)) {
			s.add(s.piece(i, true))
			s.start = i
		}
		s.digits = false
	}
}

// dash begins a list between two digits.
func (s *scanner) dash(i int) {
	current := s.nested[len(s.nested)-1]
	normalize(current)
	if i+1 < len(s.text) && s.text[i+1] >= '0' && s.text[i+1] <= '9' {
		inner := &[]part{}
		*current = append(*current, part{kind: list, list: inner})
		s.nested = append(s.nested, inner)
	}
}

// piece is what began at start and ends before the place.
func (s *scanner) piece(end int, beforeDigit bool) part {
	text := s.text[s.start:end]
	if s.digits {
		return part{kind: number, text: trimZeros(text)}
	}
	return wordPart(text, beforeDigit)
}

func (s *scanner) add(p part) {
	current := s.nested[len(s.nested)-1]
	*current = append(*current, p)
}

// normalize takes away what adds nothing at the end.
func normalize(parts *[]part) {
	for n := len(*parts); n > 0 && (*parts)[n-1].null(); n-- {
		*parts = (*parts)[:n-1]
	}
}

package config

import (
	"fmt"
	"strings"
	"unicode"
)

// Problem is one thing that is wrong with a cluster.yaml.
type Problem struct {
	// File is the file as it was named to Load or Parse.
	File string
	// Path is where, as in hosts[1].address; empty where the whole file is meant.
	Path string
	// Value is what was found there, shortened; empty where nothing was found or it may be a secret.
	Value string
	// Rule is what is expected, or what is wrong.
	Rule string
	// Fix is what to do about it, where that does not follow from the rule.
	Fix string
	// Line and Column count from 1; 0 where the place is not known.
	Line, Column int

	cause error
}

// String is FILE:LINE:COLUMN: path: value: rule (fix), without the parts that are empty.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
	}
	for _, part := range []string{p.Path, p.Value} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	b.WriteString(p.Rule)
	if p.Fix != "" {
		b.WriteString(" (" + p.Fix + ")")
	}
	return b.String()
}

// Problems are all the problems of one file, at least one.
type Problems []Problem

// Error is one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors of the operating system behind the problems, so that errors.Is(err, fs.ErrNotExist) works.
func (p Problems) Unwrap() []error {
	var causes []error
	for _, one := range p {
		if one.cause != nil {
			causes = append(causes, one.cause)
		}
	}
	return causes
}

// ExitCode is 2: the configuration is invalid.
func (p Problems) ExitCode() int { return 2 }

// At are the problems at the given paths or below them.
func (p Problems) At(paths ...string) Problems {
	var found Problems
	for _, one := range p {
		for _, path := range paths {
			rest, ok := strings.CutPrefix(one.Path, path)
			if ok && (rest == "" || path == "" || rest[0] == '.' || rest[0] == '[') {
				found = append(found, one)
				break
			}
		}
	}
	return found
}

// show shortens a value for a message and takes out what would disturb a terminal.
func show(value any) string {
	s := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, fmt.Sprint(value))
	if r := []rune(s); len(r) > 60 {
		s = string(r[:57]) + "..."
	}
	return s
}

// nearest is the known word that is closest to the given one, or empty when none is close.
func nearest(word string, known []string) string {
	best, distance := "", len(word)/2+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance && d < max(len(k), 2) {
			best, distance = k, d
		}
	}
	for _, k := range known {
		if best == "" && len(word) > 1 && len(k) > 1 && (strings.Contains(strings.ToLower(word), k) || strings.Contains(k, strings.ToLower(word))) {
			best = k
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours.
func editDistance(a, b string) int {
	if len(a) > 64 {
		a = a[:64]
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

package ui

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const tableGap = "  "

// Table is text in columns. The zero Table has no header.
type Table struct {
	header, kept, spare []string
	rows                [][]string
}

// NewTable starts a table with the titles of its columns.
func NewTable(header ...string) *Table { return &Table{header: header} }

// Row adds a row. Cells are cleaned (Clean); missing ones are empty.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = Clean(cell)
	}
	t.rows = append(t.rows, row)
}

// Keep names columns by their titles that are cut last of all, because they tell the rows apart.
func (t *Table) Keep(titles ...string) *Table {
	t.kept = titles
	return t
}

// Spare names columns by their titles that are left out, the first one first, where the others would have to be cut to less than
// eight characters.
func (t *Table) Spare(titles ...string) *Table {
	t.spare = titles
	return t
}

// Write writes the table. Where it does not fit into width (0: it always does) spare columns are left out and the widest
// columns are cut, and none to less than eight characters.
func (t *Table) Write(w io.Writer, width int) error {
	all := t.rows
	if len(t.header) > 0 {
		all = append([][]string{t.header}, t.rows...)
	}
	widths := columnWidths(all)
	keep := make([]bool, len(widths))
	for i, title := range t.header {
		keep[i] = slices.Contains(t.kept, title)
	}
	for _, title := range t.spare {
		if i := slices.Index(t.header, title); i >= 0 && width > 0 && least(widths, keep) > width {
			widths[i] = 0
		}
	}
	fit(widths, keep, width)
	var text strings.Builder
	for _, row := range all {
		var cells []string
		for i, cell := range row {
			if widths[i] > 0 {
				cell = Cut(cell, widths[i])
				cells = append(cells, cell+strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
			}
		}
		text.WriteString(strings.TrimRight(strings.Join(cells, tableGap), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func columnWidths(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// narrowest is what a column is never cut below.
const narrowest = 8

// least is how narrow a table can be without cutting what is to be kept.
func least(widths []int, keep []bool) int {
	cut := slices.Clone(widths)
	for i := range cut {
		if !keep[i] {
			cut[i] = min(cut[i], narrowest)
		}
	}
	return total(cut)
}

// total is the width of a line. A column of width 0 has no gap either.
func total(widths []int) int {
	sum := -len(tableGap)
	for _, width := range widths {
		if width > 0 {
			sum += width + len(tableGap)
		}
	}
	return sum
}

// fit cuts the widest columns until a line has the width of the limit, those that are to be kept after the others.
func fit(widths []int, keep []bool, limit int) {
	if limit <= 0 {
		return
	}
	for _, kept := range []bool{false, true} {
		for total(widths) > limit {
			widest := -1
			for i, width := range widths {
				if keep[i] == kept && width > narrowest && (widest < 0 || width > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
		}
	}
}

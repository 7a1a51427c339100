package keep

import "strings"

// ReservedName is why a file or folder with a name of git's own is not kept.
const ReservedName = "git has this name for itself, and servers refuse a history that holds it: nothing in it is kept; move what must be kept to another name"

// Reserved says whether a file or folder would be kept, were it not for its name.
func (t *Table) Reserved(name string) bool {
	return reserved(name) && (t.file(name) || t.folder(name))
}

// reserved says whether a part of a path is a name that git's check of objects, as servers make it, takes for its own on any file system: without
// regard to case, to blanks and dots at the end, to what follows a colon, to letters that are not seen, and after a backslash.
func reserved(name string) bool {
	if !strings.ContainsAny(name, "gG") { // the usual question of 10,000 jobs must cost nothing
		return false
	}
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		part, _, _ = strings.Cut(part, ":")
		part = strings.ToLower(strings.TrimRight(strings.Map(seen, part), " ."))
		if part == ".git" || part == "git~1" || part == ".gitmodules" {
			return true
		}
	}
	return false
}

// seen drops the letters that HFS+ ignores in names.
func seen(r rune) rune {
	if r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff {
		return -1
	}
	return r
}

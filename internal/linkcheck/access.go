package linkcheck

import (
	"path"
	"strings"
)

// denied says why a class may not use what its link resolved to, empty where it may: JVM specification 5.4.4.
func (o outcome) denied(from *class, l link) string {
	isClass := l.kind == 'c' || l.kind == 's'
	if o.class == nil || isClass && o.class.access&accPublic != 0 || !isClass && o.access&accPublic != 0 {
		return ""
	}
	near := o.class.space == from.space && path.Dir(o.class.name) == path.Dir(from.name)
	if isClass {
		if near {
			return ""
		}
		return "the class is not public: " + o.class.origin()
	}
	switch {
	case near && o.access&accPrivate == 0:
	case o.access&accPrivate != 0:
		if near && outermost(o.class.name) == outermost(from.name) {
			return ""
		}
		return "it is private: " + o.class.origin()
	case o.access&accProtected != 0:
		if !from.descends(o.class) {
			return "it is protected: " + o.class.origin()
		}
	default:
		return "it is for its own package alone: " + o.class.origin()
	}
	return ""
}

// descends says whether c is a subclass of ancestor, or whether that cannot be known.
func (c *class) descends(ancestor *class) bool {
	seen := map[*class]bool{}
	for c != ancestor {
		if seen[c] || c.name == "java/lang/Object" {
			return false
		}
		seen[c] = true
		next := c.space.find(c.super)
		if next == nil {
			return true
		}
		c = next
	}
	return true
}

func outermost(name string) string {
	outer, _, _ := strings.Cut(name, "$")
	return outer
}

func dotted(name string) string { return strings.ReplaceAll(name, "/", ".") }

// origin names where a class comes from.
func (c *class) origin() string {
	if c.jar == nil {
		return dotted(c.name) + " of " + c.space.name
	}
	where := c.space.name
	if c.jar.plugin != nil {
		where = "plugin " + where
	}
	return dotted(c.name) + " in " + path.Base(c.jar.entry) + " of " + where
}

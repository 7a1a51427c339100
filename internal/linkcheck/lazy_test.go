package linkcheck

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Of the core what a link leads to is read, and nothing else.
func TestTheCoreIsReadWhereALinkLeads(t *testing.T) {
	extra := classes(classFile{name: "far/Whole"}, classFile{name: "far/Child", super: "far/Bad"})
	extra["far/Bad.class"] = []byte("no class")
	extra["far/Elsewhere.class"] = classes(classFile{name: "far/Other"})["far/Other.class"]
	war := files{"WEB-INF/lib/far-1.0.jar": extra.zip(t), "WEB-INF/lib/late-1.0.jar": classes(classFile{name: "far/Elsewhere"}).zip(t)}
	report := newRig(t, core, war).plugin("own", "", classes(user("own/A", "far/Whole"), user("own/B", "far/Elsewhere"))).check()
	require.Empty(t, report.Links, "the damaged one is nobody's business, and a class under another's path is behind the next of its name")

	alone := files{"WEB-INF/lib/far-1.0.jar": extra.zip(t)}
	report = newRig(t, core, alone).plugin("own", "", classes(user("own/B", "far/Elsewhere"))).check()
	require.Equal(t, []string{"breaks own: missing class far.Elsewhere"}, lines(report))

	for name, own := range map[string]files{
		"linked to":        classes(user("own/A", "far/Bad")),
		"behind what is":   classes(classFile{name: "own/A", uses: []ref{{'m', "far/Child", "gone", "()V"}}}),
		"by many at once":  classes(user("own/A", "far/Bad"), user("own/B", "far/Bad"), user("own/C", "far/Child")),
		"the superclass's": classes(classFile{name: "own/A", super: "far/Bad"}),
	} {
		r := newRig(t, core, war).plugin("own", "", own).plugin("second", "", own)
		_, err := Check(context.Background(), r.in)
		require.Error(t, err, name)
		assert.Equal(t, "read DIR/jenkins.war!WEB-INF/lib/far-1.0.jar!far/Bad.class: no class file: it does not begin with CAFEBABE", strings.ReplaceAll(err.Error(), r.dir, "DIR"))
	}
}

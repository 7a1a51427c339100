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

// What a class of the core stands on can be in another jar, which no link leads to: it is opened again for it, once for all plugins.
func TestAncestorsInJarsThatNoLinkLeadsTo(t *testing.T) {
	root := classFile{name: "deep/Root", methods: []member{{"run", void, accPublic}}}
	damaged := classes(root)
	damaged["deep/Bad.class"] = []byte("no class")
	war := files{
		"WEB-INF/lib/near-1.0.jar": classes(classFile{name: "near/A", super: "deep/Middle"}, classFile{name: "near/B", super: "deep/Bad"}).zip(t),
		"WEB-INF/lib/deep-1.0.jar": damaged.zip(t),
		"WEB-INF/lib/mid-1.0.jar":  classes(classFile{name: "deep/Middle", super: "deep/Root"}).zip(t),
	}
	own := classes(classFile{name: "own/A", uses: []ref{{'m', "near/A", "run", void}, {'m', "near/A", "gone", void}}})
	r := newRig(t, core, war)
	for _, name := range []string{"one", "two", "three"} {
		r.plugin(name, "", own)
	}
	require.Equal(t, []string{
		"breaks one: missing method void near.A.gone()", "breaks three: missing method void near.A.gone()", "breaks two: missing method void near.A.gone()",
	}, lines(r.check()))

	r.plugin("four", "", classes(classFile{name: "own/B", uses: []ref{{'m', "near/B", "run", void}}}))
	_, err := Check(context.Background(), r.in)
	require.EqualError(t, err, "read "+r.in.War+"!WEB-INF/lib/deep-1.0.jar!deep/Bad.class: no class file: it does not begin with CAFEBABE")
}

package linkcheck

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// user is a plugin's class that links to a class.
func user(name, target string) classFile {
	return classFile{name: name, uses: []ref{{kind: 'c', owner: target}}}
}

var core = classes(classFile{name: "hudson/model/Node"}, classFile{name: "lib/Util", methods: []member{{"old", void, accPublic | accStatic}}})

func TestClassLoaders(t *testing.T) {
	far := classes(classFile{name: "far/Api"})
	near := classes(classFile{name: "near/Api", super: "far/Api"})
	newUtil := classes(classFile{name: "lib/Util", methods: []member{{"fresh", void, accPublic}}})
	fresh := classes(classFile{name: "own/User", uses: []ref{{'m', "lib/Util", "fresh", void}}})
	for _, test := range []struct {
		name string
		make func(r *rig)
		want []string
	}{
		{"a dependency of a dependency", func(r *rig) {
			r.plugin("far", "", far).plugin("near", "Plugin-Dependencies: far:1.0\n", near)
			r.plugin("own", "Plugin-Dependencies: near:1.0\n", classes(user("own/User", "far/Api")))
		}, []string{}},
		{"no dependency", func(r *rig) {
			r.plugin("far", "", far).plugin("own", "", classes(user("own/User", "far/Api")))
		}, []string{"breaks own: missing class far.Api"}},
		{"an ancestor that only the dependency sees", func(r *rig) {
			r.plugin("far", "", classes(classFile{name: "far/Api", methods: []member{{"run", void, accPublic}}})).plugin("near", "Plugin-Dependencies: far:1.0\n", near)
			r.plugin("own", "Plugin-Dependencies: near:1.0\n", classes(classFile{name: "own/User", uses: []ref{{'m', "near/Api", "run", void}}}))
		}, []string{}},
		{"an optional dependency that is there", func(r *rig) {
			r.plugin("far", "", far).plugin("own", "Plugin-Dependencies: x:1;resolution:=optional,far:1.0;resolution:=optional\n", classes(user("own/User", "far/Api")))
		}, []string{}},
		{"an optional dependency that is absent", func(r *rig) {
			r.plugin("own", "Plugin-Dependencies: token-macro:1.0;resolution:=optional\n", classes(user("own/User", "org/jenkinsci/plugins/tokenmacro/Macro")))
		}, []string{"note own: missing class org.jenkinsci.plugins.tokenmacro.Macro"}},
		{"an optional dependency with a short name", func(r *rig) {
			r.plugin("own", "Plugin-Dependencies: git:1.0;resolution:=optional\n", classes(user("own/User", "hudson/plugins/git/GitSCM")))
		}, []string{"note own: missing class hudson.plugins.git.GitSCM"}},
		{"a class that may be of an absent optional dependency", func(r *rig) {
			r.plugin("own", "Plugin-Dependencies: git:1.0;resolution:=optional\n", classes(user("own/User", "com/digital/Thing")))
		}, []string{"doubtful own: missing class com.digital.Thing"}},
		{"another class beside an absent optional dependency", func(r *rig) {
			r.plugin("own", "Plugin-Dependencies: token-macro:1.0;resolution:=optional\n", classes(user("own/User", "org/apache/commons/lang/StringUtils")))
		}, []string{"breaks own: missing class org.apache.commons.lang.StringUtils"}},
		{"the core's class before the plugin's", func(r *rig) { r.plugin("own", "", fresh, files{"WEB-INF/lib/util-2.jar": newUtil.zip(r.t)}) },
			[]string{"breaks own: missing method void lib.Util.fresh()"}},
		{"the plugin first", func(r *rig) {
			r.plugin("own", "PluginFirstClassLoader: true\n", fresh, files{"WEB-INF/lib/util-2.jar": newUtil.zip(r.t)})
		}, []string{}},
		{"the core's class masked", func(r *rig) {
			r.plugin("own", "Mask-Classes: org.other. lib.\n", fresh, files{"WEB-INF/lib/util-2.jar": newUtil.zip(r.t)})
		}, []string{}},
		{"masked and not brought along", func(r *rig) { r.plugin("own", "Mask-Classes: lib.\n", fresh) }, []string{"breaks own: missing class lib.Util"}},
		{"the container's classes, and not its insides", func(r *rig) {
			r.plugin("own", "", classes(user("own/User", "jakarta/servlet/Filter"), user("own/Deep", "org/eclipse/jetty/Server")))
		}, []string{"breaks own: missing class org.eclipse.jetty.Server"}},
		{"classes in folders", func(r *rig) {
			r.plugin("own", "", nil, files{"WEB-INF/classes/own/A.class": user("own/A", "own/B").bytes(), "WEB-INF/classes/own/B.class": user("own/B", "own/C").bytes()})
		}, []string{"breaks own: missing class own.C"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			container := classes(classFile{name: "jakarta/servlet/Filter"}, classFile{name: "org/eclipse/jetty/Server"})
			r := newRig(t, core, files{"executable/winstone.jar": container.zip(t)})
			test.make(r)
			assert.Equal(t, test.want, lines(r.check()))
		})
	}
}

func TestRanks(t *testing.T) {
	missing := ref{kind: 'c', owner: "gone/Thing"}
	vanished := ref{'m', "lib/Util", "vanished", void}
	for _, test := range []struct {
		name    string
		own     files
		lib     files
		want    string
		why     string
		atStart bool
	}{
		{"caught", classes(classFile{name: "own/A", uses: []ref{missing}, catch: "java/lang/LinkageError"}), nil, "note", "catches the error", false},
		{"caught only in one place", classes(classFile{name: "own/A", uses: []ref{missing}, catch: "java/lang/Throwable"}, user("own/B", "gone/Thing")), nil,
			"breaks", "nobody provides it", false},
		{"caught for the first of two", classes(classFile{name: "own/A", uses: []ref{missing, missing}, catch: "java/lang/Throwable", guarded: 1}), nil,
			"breaks", "nobody provides it", false},
		{"another error caught", classes(classFile{name: "own/A", uses: []ref{missing}, catch: "java/lang/Exception"}), nil, "breaks", "nobody provides it", false},
		{"a finally block", classes(classFile{name: "own/A", uses: []ref{missing}, catch: "-"}), nil, "breaks", "nobody provides it", false},
		{"the type of a handler", classes(classFile{name: "own/A", uses: []ref{}, catch: "gone/Thing"}), nil, "breaks", "nobody provides it", false},
		{"in an optional extension", classes(classFile{name: "own/A", uses: []ref{missing}, optional: true}), nil, "note", "may leave out", false},
		{"nested in an optional extension", classes(classFile{name: "own/A", optional: true}, user("own/A$B", "gone/Thing")), nil, "note", "may leave out", false},
		{"in a signature alone", classes(classFile{name: "own/A", methods: []member{{"set", "(I[Lgone/Thing;)V", accPublic}}}), nil, "doubtful", "reflection", false},
		{"the superclass of an extension", classes(classFile{name: "own/Start", super: "own/A"}, user("own/A", "gone/Thing")), nil, "breaks", "nobody", true},
		{"the superclass itself", classes(classFile{name: "own/Start", super: "gone/Thing"}), nil, "breaks", "nobody", true},
		{"what a library does without", nil, classes(user("util/A", "gone/Thing")), "note", "optional part of a bundled library", false},
		{"what a library had from the core", nil, classes(classFile{name: "util/A", uses: []ref{vanished}}), "breaks", "another version", false},
		{"a part of a library that is not there", nil, classes(user("gone/Part", "gone/Thing")), "doubtful", "other classes of the package", false},
		{"a library among its own", nil, classes(classFile{name: "util/A", uses: []ref{{'f', "util/A", "x", "I"}}}), "doubtful", "among the libraries", false},
		{"a library on a package that the core had", nil, classes(user("util/A", "org/apache/commons/lang/Gone")), "breaks", "nobody", false},
		{"what is left of an older library", nil, classes(classFile{name: "lib/Util"}, classFile{name: "lib/Left", uses: []ref{vanished}}), "note", "what is left", false},
		{"a library beside another version of a class of its own", nil, classes(classFile{name: "lib/Util"}, classFile{name: "lib/Left", uses: []ref{vanished}},
			classFile{name: "lib/B"}, classFile{name: "lib/C"}), "doubtful", "its own version", false},
		{"a library for several versions of servlets", nil, classes(classFile{name: "util/A", uses: []ref{{'i', "javax/servlet/Filter", "later", void}}}), "doubtful", "versions of servlets", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			servlets := classes(classFile{name: "javax/servlet/Filter", access: accPublic | accInterface})
			r := newRig(t, core, files{"winstone.jar": servlets.zip(t)})
			index := files{"META-INF/annotations/hudson.Extension": []byte("own.Start")}
			for name, b := range test.own {
				index[name] = b
			}
			r.plugin("own", "", index, files{"WEB-INF/lib/util-1.0.jar": test.lib.zip(t)})
			report := r.check()
			require.Len(t, report.Links, 1)
			link := report.Links[0]
			assert.Equal(t, test.want, string(link.Rank), link.Why)
			assert.Contains(t, link.Why, test.why)
			assert.Equal(t, test.atStart, link.AtStart)
			assert.Len(t, report.Breaking(), strings.Count(test.want, "breaks"))
		})
	}
	t.Run("in a table of inner classes alone", func(t *testing.T) {
		own := classes(classFile{name: "own/A", inner: []string{"gone/Thing"}})
		assert.Empty(t, newRig(t, core).plugin("own", "", own).check().Links)
	})
}

func TestPluginsOfTheWar(t *testing.T) {
	plugin := func(name, more string, f files) []byte {
		return files{"META-INF/MANIFEST.MF": []byte("Short-Name: " + name + "\nJenkins-Version: 2.450\n" + more), "WEB-INF/lib/" + name + ".jar": f.zip(t)}.zip(t)
	}
	splits := core.with("jenkins/split-plugins.txt", "# comment\nmail-api 2.330 1.0\nsshd 2.281 3.0\nmissing 2.410 1\nnewer 2.399 1\n")
	splits["jenkins/split-plugin-cycles.txt"] = []byte("own sshd\n")
	r := newRig(t, splits, files{
		"WEB-INF/detached-plugins/mail-api.hpi":   plugin("mail-api", "Plugin-Dependencies: activation:1\n", classes(user("mail/Session", "activation/Data"))),
		"WEB-INF/detached-plugins/activation.hpi": plugin("activation", "", classes(classFile{name: "activation/Data"})),
		"WEB-INF/detached-plugins/sshd.hpi":       plugin("sshd", "", classes(classFile{name: "sshd/Server"})),
	})
	old := "Jenkins-Version: 2.164\n"
	r.plugin("own", "", classes(user("own/A", "mail/Session")))
	file := filepath.Join(r.dir, "own.hpi")
	f := files{"META-INF/MANIFEST.MF": []byte("Short-Name: own\nPlugin-Version: 2.0 (private)\nPlugin-Dependencies: gone:1,opt\n ional:2;resolution:=optional\n" + old),
		"WEB-INF/lib/own.jar": classes(user("own/A", "mail/Session"), user("own/B", "sshd/Server")).zip(t)}
	require.NoError(t, os.WriteFile(file, f.zip(t), 0o600))
	report := r.check()
	assert.Equal(t, []string{"doubtful own: missing class sshd.Server"}, lines(report))
	assert.Equal(t, "2.500", report.Core)
	assert.Equal(t, []Plugin{
		{Name: "activation", File: r.in.War, Core: "2.450", Detached: true},
		{Name: "mail-api", File: r.in.War, Core: "2.450", Detached: true},
		{Name: "own", Version: "2.0 (private)", File: file, Core: "2.164", Absent: []string{"gone"}, AbsentOptional: []string{"missing", "newer", "optional"}},
	}, report.Plugins)
}

func TestWarWithoutContainer(t *testing.T) {
	own := classes(user("own/A", "javax/servlet/Filter"), user("own/B", "javax/servlets/Filter"))
	assert.Equal(t, []string{"breaks own: missing class javax.servlets.Filter"}, lines(newRig(t, core).plugin("own", "", own).check()))
}

func TestImpliedPluginThatIsAbsent(t *testing.T) {
	split := core.with("jenkins/split-plugins.txt", "javax-mail-api 2.450 1.0\n")
	link := newRig(t, split).plugin("own", "", classes(user("own/A", "javax/mail/Session"))).check().Links[0]
	assert.Equal(t, Breaks, link.Rank)
	assert.Equal(t, "looks like a class of the plugin javax-mail-api, which was part of the core that this was built for: add it", link.Why)
}

func TestPluginsThatLeftOldCores(t *testing.T) {
	war := files{"META-INF/MANIFEST.MF": []byte("Hudson-Version: 1.540\n"), "WEB-INF/lib/hudson-core-1.540.jar": core.zip(t)}
	r := newRig(t, core).plugin("ant", "", classes(classFile{name: "hudson/tasks/Ant"}))
	r.in.War = r.write("hudson.war", war)
	manifest := "Short-Name: own\nHudson-Version: 1.420\n"
	own := files{"META-INF/MANIFEST.MF": []byte(manifest), "WEB-INF/lib/own.jar": classes(user("own/A", "hudson/tasks/Ant")).zip(t)}
	r.in.Plugins = append(r.in.Plugins, r.write("own.hpi", own))
	report := r.check()
	assert.Empty(t, report.Links)
	assert.Equal(t, "1.540", report.Core)
	assert.Equal(t, []string{"external-monitor-job", "javadoc", "ldap", "mailer", "matrix-auth", "pam-auth"}, report.Plugins[1].AbsentOptional)
}

func TestNewerCore(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"2.331", "2.330", true}, {"2.330", "2.330", false}, {"2.330.1", "2.330", true}, {"2.99", "2.330", false}, {"1.609", "2.1", false},
		{"null", "1.310", false}, {"", "1.310", false}, {"2.400-rc123.abc", "2.400", false}, {"2.401-SNAPSHOT", "2.400", true},
	} {
		assert.Equal(t, test.want, newerCore(test.a, test.b), "%s > %s", test.a, test.b)
	}
}

func TestClassFileVersions(t *testing.T) {
	r := newRig(t, core)
	r.plugin("own", "", classes(classFile{name: "own/A", major: 69, uses: []ref{{kind: 'c', owner: "gone/Thing"}}}, user("own/B", "own/A")),
		files{"WEB-INF/lib/util.jar": classes(classFile{name: "util/A", major: 120}).zip(t)})
	report := r.check()
	assert.Equal(t, []string{"breaks own: too-new class own.A", "doubtful own: too-new class util.A"}, lines(report))
	assert.Equal(t, "own.jar has class files for Java 25", report.Links[0].Why)
	r.in.Java = 25
	assert.Equal(t, []string{"breaks own: missing class gone.Thing", "doubtful own: too-new class util.A"}, lines(r.check()))
	r.in.Java = 22
	_, err := Check(context.Background(), r.in)
	assert.EqualError(t, err, "check links for Java 22: only the releases [8 11 17 21 25] are known")
}

func TestMultiReleaseJars(t *testing.T) {
	versions := files{
		"util/A.class":                            user("util/A", "gone/Base").bytes(),
		"META-INF/versions/9/module-info.class":   []byte("not read"),
		"META-INF/versions/11/util/A.class":       user("util/A", "gone/Eleven").bytes(),
		"META-INF/versions/25/util/A.class":       user("util/A", "gone/TwentyFive").bytes(),
		"META-INF/versions/nine/util/A.class":     []byte("not read"),
		"META-INF/maven/util/A.class":             []byte("not read"),
		"other/place/util/Z.class":                classFile{name: "util/Z"}.bytes(),
		"util/B.class":                            user("util/B", "util/Z").bytes(),
		"META-INF/versions/17/util/Since17.class": user("util/Since17", "gone/Seventeen").bytes(),
	}
	names := func(f files, java int) []string {
		r := newRig(t, core).plugin("own", "", nil, files{"WEB-INF/lib/own-1.jar": f.zip(t)})
		r.in.Java = java
		names := []string{}
		for _, l := range r.check().Links {
			names = append(names, l.Class)
		}
		return names
	}
	multi := versions.with("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMulti-Release: true\n")
	assert.Equal(t, []string{"gone/Base", "util/Z"}, names(versions, 21))
	assert.Equal(t, []string{"gone/Base", "util/Z"}, names(multi, 8))
	assert.Equal(t, []string{"gone/Eleven", "util/Z"}, names(multi, 11))
	assert.Equal(t, []string{"gone/Eleven", "gone/Seventeen", "util/Z"}, names(multi, 21))
	assert.Equal(t, []string{"gone/Seventeen", "gone/TwentyFive", "util/Z"}, names(multi, 25))
}

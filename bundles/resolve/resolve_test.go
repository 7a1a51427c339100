package resolve

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/bundles/updatecenter"
)

// center makes an update center of lines NAME VERSION CORE [NEED VERSION[?]]...
func center(day int, lines ...string) *updatecenter.Center {
	c := &updatecenter.Center{ID: "default", Generated: time.Date(2026, 6, day, 0, 0, 0, 0, time.UTC), Plugins: map[string]updatecenter.Plugin{},
		Deprecated: map[string]string{}, Provenance: updatecenter.Provenance{Digest: "d", Signer: "CN=s"}}
	for _, line := range lines {
		p := plugin(line)
		c.Plugins[p.Name] = p
	}
	return c
}

func plugin(line string) updatecenter.Plugin {
	fields := strings.Fields(line)
	p := updatecenter.Plugin{Name: fields[0], Version: fields[1], RequiredCore: fields[2], SHA256: strings.Repeat("a", 64), Size: 7,
		URL: updatecenter.PluginURL(fields[0], fields[1]), Previous: "0.1"}
	for i := 3; i+1 < len(fields); i += 2 {
		least, optional := strings.CutSuffix(fields[i+1], "?")
		p.Dependencies = append(p.Dependencies, updatecenter.Dependency{Name: fields[i], Version: least, Optional: optional})
	}
	return p
}

func request(t *testing.T, core, wishes string, centers ...*updatecenter.Center) Request {
	t.Helper()
	parsed, err := ParseWishes(wishes)
	require.NoError(t, err)
	return Request{Core: core, Wishes: parsed, Centers: centers}
}

func names(lock *Lock) (all []string) {
	for _, p := range lock.Plugins {
		all = append(all, p.Name+" "+p.Version)
	}
	return all
}

func TestWhatIsNeededComesToo(t *testing.T) {
	uc := center(1, "git 5.10 2.504 credentials 1400 token-macro 400? scm-api 1", "credentials 1500.v 2.500 structs 3", "structs 3.1 2.500",
		"scm-api 700 2.500", "token-macro 477 2.500", "unrelated 1 2.500")
	uc.Deprecated["git"] = "https://why.example"
	lock, err := Resolve(request(t, "2.568.3", "# what we want\n\ngit:5.0 # or newer\n", uc))
	require.NoError(t, err)
	require.Equal(t, []string{"credentials 1500.v", "git 5.10", "scm-api 700", "structs 3.1"}, names(lock), "an optional one alone brings nothing")
	git, has := lock.Plugin("git")
	require.True(t, has)
	require.True(t, git.Wanted)
	require.Equal(t, "https://why.example", git.Deprecated)
	require.Equal(t, []Need{{Name: "credentials", Version: "1400"}, {Name: "scm-api", Version: "1"}}, git.Needs)
	structs, _ := lock.Plugin("structs")
	require.False(t, structs.Wanted)
	require.Equal(t, []Source{{ID: "default", Generated: "2026-06-01T00:00:00Z", Digest: "d", Signer: "CN=s"}}, lock.UpdateCenters)

	lock, err = Resolve(request(t, "2.568.3", "git\ntoken-macro", uc))
	require.NoError(t, err)
	git, _ = lock.Plugin("git")
	require.Contains(t, git.Needs, Need{Name: "token-macro", Version: "400", Optional: true}, "and binds where the plugin is there")
}

func TestTheNewestThatFitsTheCoreIsTaken(t *testing.T) {
	newer := center(9, "a 3 2.556 b 3", "b 3 2.500")
	older := center(1, "a 2 2.500 b 2", "b 2 2.500")
	for _, centers := range [][]*updatecenter.Center{{newer, older}, {older, newer}} {
		lock, err := Resolve(request(t, "2.555.3", "a", centers...))
		require.NoError(t, err)
		require.Equal(t, []string{"a 2", "b 3"}, names(lock))
		require.Equal(t, "2026-06-09T00:00:00Z", lock.UpdateCenters[0].Generated)
		lock, err = Resolve(request(t, "2.556", "a", centers...))
		require.NoError(t, err)
		require.Equal(t, []string{"a 3", "b 3"}, names(lock))
		lock, err = Resolve(request(t, "2.556", "a\nb:=2", centers...))
		require.NoError(t, err)
		require.Equal(t, []string{"a 2", "b 2"}, names(lock), "what is wanted exactly decides what else can be had")
	}
}

func TestAnOptionalPluginThatIsThereMustBeNewEnough(t *testing.T) {
	newer := center(9, "a 3 2.500 b 3?", "b 3 2.600")
	older := center(1, "a 2 2.500 b 1?", "b 2 2.500")
	lock, err := Resolve(request(t, "2.555", "a", newer, older))
	require.NoError(t, err)
	require.Equal(t, []string{"a 3"}, names(lock))
	lock, err = Resolve(request(t, "2.555", "a\nb", newer, older))
	require.NoError(t, err)
	require.Equal(t, []string{"a 2", "b 2"}, names(lock), "a 3 would not load beside b 2")
	_, err = Resolve(request(t, "2.555", "a:3\nb", newer, older))
	require.ErrorContains(t, err, "a 3 needs b 3 or newer where it is there, and it is 2")
}

func TestPluginsThatOncePartedFromTheCoreAreImplied(t *testing.T) {
	uc := center(1, "mesos 2.0 2.164 metrics 4", "metrics 4.2 2.479", "trilead-api 2.1 2.479", "sshd 3.384 2.479 instance-identity 142",
		"javax-activation-api 1.2.0-8 2.479", "javax-mail-api 1.6.2-11 2.479", "instance-identity 203 2.479 bouncycastle-api 2.27", "bouncycastle-api 2.30 2.479", "jaxb 2.3.9 2.479",
		"command-launcher 1 2.479", "jdk-tool 1 2.479", "builtfor2184 1 2.184.4", "nocore 1 null")
	lock, err := Resolve(request(t, "2.568.3", "mesos", uc))
	require.NoError(t, err)
	require.Equal(t, []string{"bouncycastle-api 2.30", "instance-identity 203", "javax-activation-api 1.2.0-8", "javax-mail-api 1.6.2-11", "mesos 2.0", "metrics 4.2",
		"sshd 3.384", "trilead-api 2.1"}, names(lock), "jaxb left after 2.163, before what mesos was built for")
	mesos, _ := lock.Plugin("mesos")
	require.Contains(t, mesos.Needs, Need{Name: "trilead-api", Version: "1.0.4", Implied: true})

	lock, err = Resolve(request(t, "2.289.3", "mesos", center(1, "mesos 2.0 2.164", "trilead-api 1.1 2.200", "sshd 3.236.ved5e1b_cb_50b_2 2.280", "javax-mail-api 2 2.200")))
	require.NoError(t, err)
	require.Equal(t, []string{"mesos 2.0", "sshd 3.236.ved5e1b_cb_50b_2", "trilead-api 1.1"}, names(lock), "core 2.289 still has javax.mail")

	lock, err = Resolve(request(t, "2.568.3", "builtfor2184", uc))
	require.NoError(t, err)
	require.Contains(t, names(lock), "trilead-api 2.1", "the LTS of 2.184 had it, as 2.184 had")

	old := center(1, "mesos 2.0 2.164", "trilead-api 1.1 2.600")
	lock, err = Resolve(request(t, "2.568.3", "mesos", old))
	require.NoError(t, err, "the war brings a copy")
	require.Equal(t, []string{"mesos 2.0"}, names(lock))
	old.Plugins["trilead-api"] = plugin("trilead-api 1.1 2.700")
	_, err = Resolve(request(t, "2.580.1", "mesos", old))
	require.ErrorContains(t, err, "trilead-api 1.1 needs Jenkins 2.700", "and no longer does")
}

func TestKnownCyclesAreNotImplied(t *testing.T) {
	s := splitsAt("2.568.3")
	implied := func(plugin, core string) (all []string) {
		for _, one := range s.impliedBy(plugin, core) {
			all = append(all, one.Name)
		}
		return all
	}
	require.Equal(t, []string{"trilead-api", "sshd", "javax-activation-api", "javax-mail-api", "instance-identity"}, implied("x", "2.164"))
	require.Equal(t, []string{"trilead-api", "javax-activation-api", "javax-mail-api"}, implied("bouncycastle-api", "2.164"))
	require.Empty(t, implied("x", "2.357"))
	require.Equal(t, []string{"instance-identity"}, implied("x", "2.356.1"))
	require.Len(t, implied("x", ""), 22)
	require.Len(t, implied("ant", "null"), 20, "not itself, and not jaxb")
	var between []string
	for _, one := range SplitBetween("2.289.3", "2.346") {
		between = append(between, one.Name)
	}
	require.Equal(t, []string{"javax-activation-api", "javax-mail-api"}, between)
	require.Empty(t, SplitBetween("2.346", "2.289.3"))
}

func TestAConflictIsExplainedToItsEnd(t *testing.T) {
	uc := center(1, "workflow-aggregator 608 2.479 model 2 middle 1", "model 2.2 2.504 workflow-job 1546", "middle 1 2.1", "workflow-job 1573 2.556",
		"graph 819 2.504 workflow-job 1571 gone 1", "java 1 2.500", "old 1 2.500")
	java := uc.Plugins["java"]
	java.MinimumJava = "25"
	uc.Plugins["java"] = java
	r := request(t, "2.555.3", "workflow-aggregator\ngraph\nnosuch\njava\nold:=0.9", uc)
	r.Java = []int{17, 21}
	_, err := Resolve(r)
	conflict := new(ConflictError)
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, `no set of plugins fits Jenkins 2.555.3:
  gone cannot be taken:
    no update center given here has it
    wanted by graph 819: 1 or newer
  java cannot be taken:
    java 1 needs Java 25
    the version before was 0.1, which no update center given here has
  nosuch cannot be taken:
    no update center given here has it
  old cannot be taken:
    old 1 is not taken: line 5 of plugins.txt wants exactly old 0.9
    the version before was 0.1, which no update center given here has
  workflow-job cannot be taken:
    workflow-job 1573 needs Jenkins 2.556
    the version before was 0.1, which no update center given here has
    wanted by graph 819: 1571 or newer
    wanted by model 2.2: 1546 or newer
  so not possible: line 1 of plugins.txt wants workflow-aggregator (model > workflow-job)
  so not possible: line 2 of plugins.txt wants graph (workflow-job)
  so not possible: line 3 of plugins.txt wants nosuch
  so not possible: line 4 of plugins.txt wants java
  so not possible: line 5 of plugins.txt wants exactly old 0.9`, err.Error())
	require.Equal(t, 3, conflict.ExitCode())
	require.Contains(t, conflict.Hint(), "further update centers")

	r.Partial, r.Java = true, []int{21, 25}
	lock, err := Resolve(r)
	require.NoError(t, err)
	require.Equal(t, []string{"java 1"}, names(lock))
	require.Equal(t, Unlocked{"old", "0.9", "old 1 is not taken: line 5 of plugins.txt wants exactly old 0.9"}, lock.Unlocked[3])
	again, err := ParseLock([]byte(lock.String()))
	require.NoError(t, err)
	require.Equal(t, lock, again)
}

func TestTwoThatNeedEachOthersNewerCore(t *testing.T) {
	_, err := Resolve(request(t, "2.555", "a\nb", center(1, "a 2 2.500 b 2", "b 2 2.556 a 2"), center(2, "a 3 2.560 b 1", "b 1 2.400 a 3")))
	require.EqualError(t, err, `no set of plugins fits Jenkins 2.555:
  a cannot be taken:
    a 3 needs Jenkins 2.560
    the version before was 0.1, which no update center given here has
    wanted by b 1: 3 or newer
  b cannot be taken:
    b 2 needs Jenkins 2.556
    the version before was 0.1, which no update center given here has
    wanted by a 2: 2 or newer
  so not possible: line 1 of plugins.txt wants a
  so not possible: line 2 of plugins.txt wants b`)
}

func TestAFileOfOnesOwnIsTakenInTheSameVersion(t *testing.T) {
	own := plugin("a 2 2.500")
	own.SHA256, own.URL = strings.Repeat("b", 64), ""
	r := request(t, "2.555", "a", center(1, "a 2 2.500"))
	r.Own = []updatecenter.Plugin{own}
	lock, err := Resolve(r)
	require.NoError(t, err)
	require.Equal(t, own.SHA256, lock.Plugins[0].SHA256)
}

func TestTheSameRequestGivesTheSameLock(t *testing.T) {
	lines := []string{"a 1 2.100 b 1 c 1? d 1", "b 1 2.100 c 1", "c 2 2.100 a 1", "d 1-2.v3 2.100", "sshd 4 2.479", "trilead-api 4 2.479", "javax-mail-api 4 2.479"}
	var first string
	for range 20 {
		lock, err := Resolve(request(t, "2.568.3", "a", center(1, lines...)))
		require.NoError(t, err)
		if first == "" {
			first = lock.String()
		}
		require.Equal(t, first, lock.String())
		slices.Reverse(lines)
	}
}

func TestPluginsTxt(t *testing.T) {
	wishes, err := ParseWishes("git\n  mesos:=2.0 # exactly\ncredentials:1480.v2\nmailer:latest\r\n")
	require.NoError(t, err)
	require.Equal(t, []Wish{{Name: "git", Line: 1}, {"mesos", "2.0", true, 2}, {"credentials", "1480.v2", false, 3}, {Name: "mailer", Line: 4}}, wishes)
	_, err = ParseWishes("git\n../x\na:=\na:1/2\ngit:3\nid:1:http://x\n")
	for _, want := range []string{`line 2: "../x"`, `line 3: "a:="`, `line 4: "a:1/2"`, "line 5: git is in line 1 already", `line 6: "id:1:http://x"`} {
		require.ErrorContains(t, err, want)
	}
}

func TestALockThatCannotBeUsedSafelyIsRefused(t *testing.T) {
	good, err := Resolve(request(t, "2.568.3", "a", center(1, "a 1 2.500")))
	require.NoError(t, err)
	for want, change := range map[string][2]string{
		"not a plugin's name and version": {`name: "a"`, `name: "../a"`}, "want 64 hex digits": {strings.Repeat("a", 64), "abc"},
		"unknown field": {"wanted: true", "wnted: true"},
	} {
		_, err := ParseLock([]byte(strings.Replace(good.String(), change[0], change[1], 1)))
		require.ErrorContains(t, err, want)
	}
	good.Plugins = append(good.Plugins, good.Plugins[0])
	_, err = ParseLock([]byte(good.String()))
	require.ErrorContains(t, err, "a is there twice")
}

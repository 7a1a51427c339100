package provision

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJavaForACore(t *testing.T) {
	for core, want := range map[string][]int{
		"2.568.2": {21, 25}, "2.580.1": {21, 25}, "2.555.1": {21, 25}, "2.545": {21, 25},
		"2.541.3": {17, 21, 25}, "2.534": {17, 21, 25}, "2.528.3": {17, 21}, "2.479.1": {17, 21}, "2.463": {17, 21},
		"2.462.3": {11, 17, 21}, "2.426.1": {11, 17, 21}, "2.361.1": {11, 17}, "2.346.3": {8, 11, 17},
		"2.332.1": {8, 11}, "2.164.1": {8, 11}, "2.60.1": {8},
		"1.625.1": nil, "2.53": nil, "": nil, "latest": nil, "2.x": nil,
	} {
		assert.Equal(t, want, JavaFor(core), core)
	}
	JavaFor("2.568.2")[0] = 8
	assert.Equal(t, []int{21, 25}, JavaFor("2.568.2"), "the table cannot be changed from outside")
}

func fakeJava(t *testing.T, home, text string) string {
	t.Helper()
	script(t, filepath.Join(home, "bin", "java"), "echo '"+text+"' >&2")
	return home
}

func TestFindJavaReadsVersionsNewestFirst(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("JAVA_HOME", fakeJava(t, dir+"/eight", `java version "1.8.0_292"`))
	t.Setenv("HOME", dir)
	fakeJava(t, dir+"/.sdkman/candidates/java/99.0.1-tem", `openjdk version "99.0.1" 2099-01-01`)
	script(t, dir+"/broken/bin/java", "echo cannot; exit 1")
	silent := fakeJava(t, dir+"/silent", "no version here")
	ea := fakeJava(t, dir+"/ea", `openjdk version "98-ea" 2098-01-01`)

	found := FindJava(t.Context(), ea, silent, dir+"/broken", dir+"/missing", ea)
	require.GreaterOrEqual(t, len(found), 3)
	assert.Equal(t, Java{Home: dir + "/.sdkman/candidates/java/99.0.1-tem", Version: "99.0.1", Major: 99}, found[0])
	assert.Equal(t, Java{Home: ea, Version: "98-ea", Major: 98}, found[1])
	assert.Contains(t, found, Java{Home: dir + "/eight", Version: "1.8.0_292", Major: 8})
	homes := map[string]int{}
	for _, j := range found {
		homes[j.Home]++
		assert.Equal(t, 1, homes[j.Home], "%s is listed once", j.Home)
		assert.NotContains(t, []string{silent, dir + "/broken"}, j.Home)
	}

	j, ok := NewestJava(found, []int{8})
	assert.True(t, ok)
	assert.Equal(t, 8, j.Major)
	j, ok = NewestJava(found, nil)
	assert.True(t, ok)
	assert.Equal(t, 99, j.Major)
	_, ok = NewestJava(found, []int{7})
	assert.False(t, ok)

	_, err := ReadJava(t.Context(), dir+"/broken")
	require.ErrorContains(t, err, "cannot")
	_, err = ReadJava(t.Context(), silent)
	require.ErrorContains(t, err, "does not tell its version")
}

func TestAJavaThatIsTooOldForZooKeeperIsRefused(t *testing.T) {
	dir := t.TempDir()
	read := func(folder, version string) Java {
		j, err := ReadJava(t.Context(), fakeJava(t, filepath.Join(dir, folder), `java version "`+version+`"`))
		require.NoError(t, err)
		return j
	}
	six, seven, eight, newest := read("six", "1.6.0_45"), read("seven", "1.7.0_80"), read("eight", "1.8.0_292"), read("new", "99.0.1")
	for name, tc := range map[string]struct {
		javas []Java // newest first, as FindJava gives them
		want  Java
		found []string
	}{
		"too old":            {[]Java{six}, six, []string{"runs on Java 8 or newer", "1.6.0_45 (" + six.Home + ")", "apt-get install -y default-jre-headless"}},
		"all too old":        {[]Java{seven, six}, seven, []string{"1.7.0_80 (" + seven.Home + "), 1.6.0_45 ("}},
		"an old one besides": {[]Java{eight, six}, eight, nil},
		"a tried one first":  {[]Java{newest, eight}, eight, nil},
		"only a new one":     {[]Java{newest}, newest, nil},
		"none":               {nil, Java{}, []string{"there is no Java"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := finder{ctx: t.Context(), config: newConfig(t), javas: tc.javas}
			f.zooKeeperJava()
			f.packages()
			assert.Equal(t, tc.want, f.found.ZooKeeper.Java)
			if tc.found == nil {
				assert.Empty(t, f.findings)
				return
			}
			require.Len(t, f.findings, 1)
			for _, part := range tc.found {
				assert.Contains(t, f.findings[0].String(), part)
			}
		})
	}
}

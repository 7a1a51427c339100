package version

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOrder holds versions that the Jenkins project's own VersionNumber puts into this order, each older than the next.
func TestOrder(t *testing.T) {
	for _, line := range []string{
		"1.625.3 < 2.7.3 < 2.60.1 < 2.164 < 2.164.1 < 2.528.3 < 2.555 < 2.555.1 < 2.555.3 < 2.568 < 2.568.2 < 2.568.3 < 2.580.1",
		"2.568-SNAPSHOT (private-06/01/2026 10:00-x) < 2.568 < 2.568.2-SNAPSHOT < 2.568.2",
		"2.0.ea < 2.0.ea1 < 2.0.ea2 < 2.0 < 2.0.0.99 < 2.0.1-SNAPSHOT < 2.0.1 < 2.1-SNAPSHOT < 2.1",
		"2.0 < 2.0.* < 2.1-SNAPSHOT",
		"2.0-alpha-1-rc9999.abc123def456 < 2.0-alpha-1 < 2.0-beta-1 < 2.0-m2 < 2.0-rc1 < 2.0 < 2.0-sp < 2.0-x",
		"1.0-a1 < 1.0-b1 < 1.0-m1 < 1.0-rc1 < 1.0",
		"2.0.2 < 2.0.3-20170207.105042-1 < 2.0.3-20170207.105042-2 < 2.0.3-20170207.105042-13 < 2.0.3-20170207.105043-2 < 2.0.3",
		"99.v1234deadbeef < 99.5.vabcd1234abcd < 99.10.vabcd1234abcd < 100.vdead9876beef",
		"1.1 < 391.ve4a_38c1b_cf4b_ < 1234.vabcdef < 2031.veb_a_fdda_b_3ffd < 2082.vdb_db_4622e9fa_",
		"3.12.0.0 < 3.12.0-44.v1234deadbeef < 3.12.0-55.v1234deadbeef < 3.12.1-66.v1234deadbeef",
		"1.2.0-2 < 1.2.0-7 < 1.2.0-10 < 1.2.1",
		"2.9.8 < 2.21-7.v4777a_f3a_a_d47 < 2.21.2-436.v29efdb_7418ff",
		"3.1 < 3.1-218.vfd0f6dc2e3d2 < 3.1.1 < 20260101-202.v1 < 20260101-203.v0",
		"2.281 < 3.236.ved5e1b_cb_50b_2 < 3.322.v159e91f6a_550",
		"4.0.2.5 < 4.2.21 < 4.2.37-494.v06f9a_939d33a_",
		"2.184 < 2.184.* < 2.185 < 2.185.*",
	} {
		order := strings.Split(line, " < ")
		for i := range order {
			for j := range order {
				require.Equal(t, cmp.Compare(i, j), sign(Compare(order[i], order[j])), "%s against %s", order[i], order[j])
			}
		}
		shuffled := slices.Clone(order)
		slices.Reverse(shuffled)
		slices.SortFunc(shuffled, Compare)
		require.Equal(t, order, shuffled)
	}
}

func sign(n int) int { return cmp.Compare(n, 0) }

// TestSame holds versions that Jenkins takes for one.
func TestSame(t *testing.T) {
	for _, pair := range [][2]string{
		{"2.0", "2.0.0"}, {"2", "2.0"}, {"2.0.ea", "2.0.ea0"}, {"1.0-ga", "1"}, {"1.0-FINAL", "1.0"}, {"1.0-rc1", "1.0-CR1"},
		{"1.12-SNAPSHOT (private-08/24/2008 12:13-hudson)", "1.12-SNAPSHOT"},
		{"2.0.3-20170207.105042-1", "2.0.3-SNAPSHOT"}, {"007", "7"}, {"", ""}, {"1.v_A", "1.v_a"}, {"1-0", "1"},
		{"99999999999999999999999999", "099999999999999999999999999"},
	} {
		require.Zero(t, Compare(pair[0], pair[1]), "%v", pair)
		require.Zero(t, Compare(pair[1], pair[0]), "%v", pair)
	}
}

func TestPeculiarities(t *testing.T) {
	require.Zero(t, Compare("1.2", "1.*"), "a number does not see the wildcard")
	require.Positive(t, Compare("2.0.0.99", "2.0.*"), "and what follows the number decides")
	require.Positive(t, Compare("1.*", "1.2"), "which sees the number")
	require.Negative(t, Compare("1.x", "1.1"), "a word is older than a number")
	require.Negative(t, Compare("1-1", "1.0.1"), "and so is what follows a dash")
	require.Positive(t, Compare("1-1", "1-sp"))
	require.Zero(t, Compare("1. 2", "1. 2"))
	require.Positive(t, Compare("1 beta", "1"), "a space belongs to the word, which is no qualifier then")
	require.True(t, Older("2.9", "2.10"))
	require.False(t, Older("2.10", "2.10"))
	require.Equal(t, "2.0-X", Parse("2.0-X").String())
}

// FuzzCompare looks for texts that cannot be compared, and for pairs that compare differently from their two sides although there is
// no wildcard in them.
func FuzzCompare(f *testing.F) {
	f.Add("1.0-2.v3", "1--2..a*")
	f.Add("2.0.3-20170207.105042-1", "2.0.3-SNAPSHOT (x)")
	f.Fuzz(func(t *testing.T, a, b string) {
		forth, back := sign(Compare(a, b)), sign(Compare(b, a))
		if !strings.Contains(a+b, "*") && forth != -back {
			t.Errorf("%q against %q: %d, and back %d", a, b, forth, back)
		}
		if Compare(a, a) != 0 {
			t.Errorf("%q is not itself", a)
		}
	})
}

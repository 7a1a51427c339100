package linkcheck

import (
	"archive/zip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/testkit"
)

func BenchmarkJavaIndex(b *testing.B) {
	for b.Loop() {
		if _, err := openJDK(21, newNames()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck checks a war of 100 MB with seventy plugins, made of the jars of a folder: JOMCTL_BENCH_JARS, by default those of
// Debian's packages.
func BenchmarkCheck(b *testing.B) {
	folder := os.Getenv("JOMCTL_BENCH_JARS")
	if folder == "" {
		folder = "/usr/share/java"
	}
	var jars []string
	all, err := filepath.Glob(filepath.Join(folder, "*.jar"))
	require.NoError(b, err)
	for _, jar := range all {
		if info, err := os.Lstat(jar); err == nil && info.Mode().IsRegular() {
			jars = append(jars, jar)
		}
	}
	if len(jars) < 20 {
		testkit.Missing(b, "twenty jars in "+folder)
	}
	dir := b.TempDir()
	in := Input{War: filepath.Join(dir, "jenkins.war"), Java: 21}
	size := pack(b, in.War, "Jenkins-Version: 2.500\n", jars, 0, 100<<20)
	for i := range 70 {
		file := filepath.Join(dir, fmt.Sprintf("plugin%02d.hpi", i))
		size += pack(b, file, fmt.Sprintf("Short-Name: plugin%02d\nJenkins-Version: 2.400\n", i), jars, i*7, 1<<20)
		in.Plugins = append(in.Plugins, file)
	}
	var report Report
	runtime.GC()
	before := processor(b)
	for b.Loop() {
		report, err = Check(context.Background(), in)
		require.NoError(b, err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(size>>20), "MB")
	b.ReportMetric((processor(b)-before).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(report.Classes), "classes")
	b.ReportMetric(float64(report.References), "links")
	b.ReportMetric(float64(memory.HeapSys>>20), "heapMB")
}

// processor is the time that this process has used.
func processor(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pack writes an archive with jars from the first on until it has the size, each packed once more as in a real war. It gives the size.
func pack(b *testing.B, file, manifest string, jars []string, first int, enough int64) (size int64) {
	out, err := os.Create(file)
	require.NoError(b, err)
	z := zip.NewWriter(out)
	w, err := z.Create("META-INF/MANIFEST.MF")
	require.NoError(b, err)
	_, err = w.Write([]byte(manifest))
	require.NoError(b, err)
	for i := first; size < enough; i++ {
		text, err := os.ReadFile(jars[i%len(jars)])
		require.NoError(b, err)
		w, err := z.Create(fmt.Sprintf("WEB-INF/lib/%03d-%s", i, filepath.Base(jars[i%len(jars)])))
		require.NoError(b, err)
		_, err = w.Write(text)
		require.NoError(b, err)
		size += int64(len(text))
	}
	require.NoError(b, z.Close())
	require.NoError(b, out.Close())
	return size
}

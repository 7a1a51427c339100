package linkcheck

import "testing"

func BenchmarkJavaIndex(b *testing.B) {
	for b.Loop() {
		if _, err := openJDK(21); err != nil {
			b.Fatal(err)
		}
	}
}

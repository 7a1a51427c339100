//go:build !linux

package backup

func swap(a, b string) error { return swapByRenames(a, b) }

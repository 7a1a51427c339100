package linkcheck

import (
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// unpackers are kept for the next entry: an inflater has tables and a window that cost as much to make as a class to inflate.
type unpackers struct{ pool sync.Pool }

func (u *unpackers) get() *unpacker {
	if u != nil {
		if one, is := u.pool.Get().(*unpacker); is {
			return one
		}
	}
	return &unpacker{}
}

func (u *unpackers) put(one *unpacker) {
	if u != nil {
		u.pool.Put(one)
	}
}

// unpacker reads the entries of archives, one after the other. They are inflated from memory, which takes two thirds of the time that the readers
// of archive/zip take.
type unpacker struct {
	memory   bytes.Reader
	file     bytes.Buffer
	inflater io.ReadCloser
}

// read unpacks an entry, of which at most limit bytes and one more are looked at.
func (u *unpacker) read(b *bytes.Buffer, a *archive, f *zip.File, limit int64) error {
	source, err := u.packed(a, f)
	if err != nil {
		return err
	}
	switch f.Method {
	case zip.Store:
	case zip.Deflate:
		if u.inflater == nil {
			u.inflater = flate.NewReader(source)
		} else if err := u.inflater.(flate.Resetter).Reset(source, nil); err != nil {
			return err
		}
		source = u.inflater
	default:
		return zip.ErrAlgorithm
	}
	if _, err := b.ReadFrom(io.LimitReader(source, min(limit, int64(f.UncompressedSize64))+1)); err != nil {
		return err
	}
	switch size := uint64(b.Len()); {
	case size < f.UncompressedSize64:
		return io.ErrUnexpectedEOF
	case size > f.UncompressedSize64:
		return zip.ErrFormat
	case f.CRC32 != 0 && crc32.ChecksumIEEE(b.Bytes()) != f.CRC32:
		return zip.ErrChecksum
	}
	return nil
}

// packed gives the content of an entry as it is in the archive.
func (u *unpacker) packed(a *archive, f *zip.File) (io.Reader, error) {
	if a.data == nil {
		source, err := f.OpenRaw()
		if err != nil {
			return nil, err
		}
		u.file.Reset()
		_, err = u.file.ReadFrom(source)
		u.memory.Reset(u.file.Bytes())
		return &u.memory, err
	}
	start, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	if f.CompressedSize64 > uint64(int64(len(a.data))-start) {
		return nil, io.ErrUnexpectedEOF
	}
	u.memory.Reset(a.data[start : start+int64(f.CompressedSize64)])
	return &u.memory, nil
}

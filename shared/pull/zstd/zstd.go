// Package zstd is the zstd content coding (RFC 8878) for the pull protocol, kept
// apart so that package pull depends on the standard library alone.
package zstd

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/heraldconf/herald/shared/pull"
)

// maxWindow bounds what a hostile frame makes a decoder allocate: RFC 9659 asks
// no more of a content coding.
const maxWindow = 8 << 20

// Coding is zstd.
var Coding = pull.Coding{Name: "zstd", Encode: encode, Decode: decode}

var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow))
})

func encode(body []byte) []byte {
	enc, err := encoder()
	if err != nil {
		return body // not smaller, so it is not used
	}
	return enc.EncodeAll(body, nil)
}

func decode(r io.Reader) (io.ReadCloser, error) {
	dec, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return dec.IOReadCloser(), nil
}

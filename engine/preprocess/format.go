package preprocess

import (
	"bytes"
	"fmt"
)

// Format names the format of data by its first bytes: "JPEG", "PNG", "GIF", "BMP", "TIFF", "WebP", "PPM" (which stands
// for all of P1 to P6) or "AVIF"; "" when unknown.
func Format(data []byte) string {
	for _, m := range magics {
		if bytes.HasPrefix(data, []byte(m.prefix)) {
			return m.format
		}
	}
	switch {
	case len(data) >= 16 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		switch string(data[12:16]) {
		case "VP8 ", "VP8L", "VP8X":
			return "WebP"
		}
	case len(data) >= 12 && string(data[4:8]) == "ftyp":
		switch string(data[8:12]) {
		case "avif", "avis", "mif1", "msf1":
			return "AVIF"
		}
	case len(data) >= 2 && data[0] == 'P' && data[1] >= '1' && data[1] <= '6':
		return "PPM"
	}
	return ""
}

var magics = []struct{ prefix, format string }{
	{"\xff\xd8\xff", "JPEG"},
	{"\x89PNG\r\n\x1a\n", "PNG"},
	{"GIF87a", "GIF"},
	{"GIF89a", "GIF"},
	{"BM", "BMP"},
	{"II\x2a\x00", "TIFF"},
	{"MM\x00\x2a", "TIFF"},
}

func unknownFormat(data []byte) *Error {
	if len(data) == 0 {
		return &Error{Reason: "no data"}
	}
	head := data[:min(len(data), 8)]
	return &Error{Reason: fmt.Sprintf("the first bytes %q are of no known format; JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and PPM are supported", head)}
}

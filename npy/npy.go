// Package npy writes NumPy's .npy files of float32 matrices.
package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// magic begins a file of format version 1.0.
const magic = "\x93NUMPY\x01\x00"

// Write writes rows, all of one length, as a little-endian float32 array [rows, columns] in C order.
func Write(w io.Writer, rows [][]float32) error {
	columns := 0
	if len(rows) > 0 {
		columns = len(rows[0])
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(rows), columns)
	// The data begins at a multiple of 64 bytes; the header ends with a line break.
	if pad := 64 - (len(magic)+2+len(header)+1)%64; pad < 64 {
		header += strings.Repeat(" ", pad)
	}
	header += "\n"
	head := binary.LittleEndian.AppendUint16([]byte(magic), uint16(len(header)))
	if _, err := w.Write(append(head, header...)); err != nil {
		return err
	}
	buffer := make([]byte, 4*columns)
	for i, row := range rows {
		if len(row) != columns {
			return fmt.Errorf("row %d has %d columns, the first has %d", i, len(row), columns)
		}
		for j, v := range row {
			binary.LittleEndian.PutUint32(buffer[4*j:], math.Float32bits(v))
		}
		if _, err := w.Write(buffer); err != nil {
			return err
		}
	}
	return nil
}

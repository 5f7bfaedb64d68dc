//! The text of the one QR code in a picture: PNG or JPEG, as a screen is photographed or saved.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use firstbell_core::secret::Secret;
use rqrr::PreparedImage;
use zeroize::Zeroizing;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_core::result::DecodingResult;
use zune_jpeg::JpegDecoder;
use zune_png::PngDecoder;

/// A photograph of a modern phone is smaller.
const BYTES_MAX: u64 = 24 * 1024 * 1024;
const SIDE_MAX: usize = 12_000;
/// More dots than this are not searched at full size: a code that fills a part of a photograph has dots enough at half of it.
const DOTS_MAX: usize = 4_000_000;

/// A picture in shades of grey, wiped when it is dropped: whoever has it has the key.
struct Grey {
    width: usize,
    height: usize,
    dots: Zeroizing<Vec<u8>>,
}

/// Reads the QR code in this file. Its path is not repeated: a secret with a slash in it looks like one.
pub(super) fn read(path: &Path) -> Result<Secret, String> {
    let unread = |e: io::Error| {
        format!(
            "It looks like the path of a picture, and no picture can be read there: {e}. A key has no slash and no dot."
        )
    };
    let meta = std::fs::metadata(path).map_err(unread)?;
    if !meta.is_file() {
        return Err("It looks like the path of a picture, and what is there is not a file.".into());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(unread)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err("The picture is too large: cut it down to the QR code.".into());
    }
    search(&decode(&bytes)?)
}

fn decode(bytes: &[u8]) -> Result<Grey, String> {
    let options = DecoderOptions::new_safe().set_max_width(SIDE_MAX).set_max_height(SIDE_MAX);
    if bytes.starts_with(b"\x89PNG") {
        return png(bytes, options.png_set_strip_to_8bit(true));
    }
    if bytes.starts_with(&[0xff, 0xd8]) {
        return jpeg(bytes, options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    Err("The file is neither a PNG nor a JPEG picture. Save the QR code as one of them (a screenshot is a PNG).".into())
}

fn png(bytes: &[u8], options: DecoderOptions) -> Result<Grey, String> {
    let mut decoder = PngDecoder::new_with_options(ZCursor::new(bytes), options);
    let decoded = decoder.decode().map_err(|_| damaged())?;
    let (width, height) = decoder.dimensions().ok_or_else(damaged)?;
    let DecodingResult::U8(dots) = decoded else { return Err(damaged()) };
    let dots = Zeroizing::new(dots);
    let parts = decoder.colorspace().ok_or_else(damaged)?.num_components();
    grey(&dots, (width, height), parts)
}

fn jpeg(bytes: &[u8], options: DecoderOptions) -> Result<Grey, String> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let dots = Zeroizing::new(decoder.decode().map_err(|_| damaged())?);
    let info = decoder.info().ok_or_else(damaged)?;
    let size = (usize::from(info.width), usize::from(info.height));
    let parts = dots.len() / (size.0 * size.1).max(1);
    grey(&dots, size, parts)
}

fn damaged() -> String {
    "The picture is damaged or of a kind that firstbell does not read: take a screenshot of the QR code."
        .into()
}

/// One shade for each dot; what is see-through lies on white.
fn grey(dots: &[u8], (width, height): (usize, usize), parts: usize) -> Result<Grey, String> {
    if parts == 0 || parts > 4 || dots.len() < width * height * parts {
        return Err(damaged());
    }
    let shade = |dot: &[u8]| {
        let part = |at: usize| u32::from(dot[at]);
        let (light, alpha) = match parts {
            1 => (part(0), 255),
            2 => (part(0), part(1)),
            3 => ((part(0) * 30 + part(1) * 59 + part(2) * 11) / 100, 255),
            _ => ((part(0) * 30 + part(1) * 59 + part(2) * 11) / 100, part(3)),
        };
        u8::try_from((light * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
    };
    let dots = dots.chunks_exact(parts).take(width * height).map(shade).collect();
    Ok(Grey { width, height, dots: Zeroizing::new(dots) })
}

impl Grey {
    fn halved(&self) -> Grey {
        let (width, height) = (self.width / 2, self.height / 2);
        let at = |x: usize, y: usize| u32::from(self.dots[y * self.width + x]);
        let mean = |x: usize, y: usize| (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1)) / 4;
        let dots = (0..height).flat_map(|y| (0..width).map(move |x| (2 * x, 2 * y)));
        let dots = dots.map(|(x, y)| u8::try_from(mean(x, y)).unwrap_or(u8::MAX)).collect();
        Grey { width, height, dots: Zeroizing::new(dots) }
    }

    fn codes(&self) -> Vec<Secret> {
        // A margin of white: a code that was cut out sharply is still found.
        let edge = 16;
        let shade = |x: usize, y: usize| {
            let inside = (edge..self.width + edge).contains(&x) && (edge..self.height + edge).contains(&y);
            if inside { self.dots[(y - edge) * self.width + x - edge] } else { 255 }
        };
        let (width, height) = (self.width + 2 * edge, self.height + 2 * edge);
        let mut image = PreparedImage::prepare_from_greyscale(width, height, shade);
        let mut found = Vec::new();
        for grid in image.detect_grids() {
            let mut text = Cursor::new(Zeroizing::new(Vec::new()));
            if grid.decode_to(CursorOf(&mut text)).is_ok()
                && let Ok(text) = std::str::from_utf8(text.get_ref())
            {
                found.push(Secret::new(text.to_owned()));
            }
        }
        found
    }
}

/// Writes into memory that is wiped.
struct CursorOf<'a>(&'a mut Cursor<Zeroizing<Vec<u8>>>);

impl io::Write for CursorOf<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn search(picture: &Grey) -> Result<Secret, String> {
    let mut smaller: Option<Grey> = None;
    loop {
        let here = smaller.as_ref().unwrap_or(picture);
        if here.width * here.height <= DOTS_MAX {
            let mut codes = here.codes();
            match codes.len() {
                1 => return codes.pop().ok_or_else(damaged),
                0 => {}
                _ => {
                    return Err(
                        "There are several QR codes in the picture: cut it down to the one that Kite shows."
                            .into(),
                    );
                }
            }
        }
        if here.width < 100 || here.height < 100 {
            return Err("No QR code was found in the picture. Take a screenshot in which it is whole, sharp and upright.".into());
        }
        smaller = Some(here.halved());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `seed.png` is a screenshot, see-through and small; `seed.jpg` a photograph of a screen, not quite upright. Both hold a key
    /// from an RFC.
    fn picture(name: &str) -> Result<Secret, String> {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name))
    }

    #[test]
    fn a_screenshot_and_a_photograph_are_read() {
        for name in ["seed.png", "seed.jpg"] {
            let text = picture(name).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(text.expose().contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{name}");
        }
    }

    #[test]
    fn what_is_no_picture_or_has_no_code_says_so() {
        assert!(picture("../setup.rs").unwrap_err().contains("neither a PNG nor a JPEG"));
        assert!(picture("..").unwrap_err().contains("not a file"));
        let folder = tempfile::tempdir().unwrap();
        let whole =
            std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/seed.png")).unwrap();
        let half = folder.path().join("half.png");
        std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
        assert!(read(&half).is_err());
        let white = Grey { width: 300, height: 300, dots: Zeroizing::new(vec![255; 90_000]) };
        assert!(search(&white).unwrap_err().contains("No QR code was found"));
    }

    #[test]
    fn a_large_picture_is_searched_at_a_smaller_size() {
        let grey = decode(
            &std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/seed.png")).unwrap(),
        );
        let small = grey.unwrap();
        let by = 2_200 / small.width + 1;
        let (width, height) = (small.width * by, small.height * by);
        let dots = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let dots = dots.map(|(x, y)| small.dots[y / by * small.width + x / by]).collect();
        let large = Grey { width, height, dots: Zeroizing::new(dots) };
        assert!(search(&large).unwrap().expose().starts_with("otpauth://"));
    }
}

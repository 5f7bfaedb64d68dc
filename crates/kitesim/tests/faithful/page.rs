//! Today's login page in a real browser: the selectors of public scripts, and a whole login.

use serde_json::json;

use crate::support::Sim;
use crate::support::driver::{Driver, ENTER};

/// XPaths that many public scripts of 2021 to 2026 have copied; the same skeleton must satisfy all of them.
const STEP_1: [(&str, &str); 7] = [
    ("/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[1]/input", "userid"),
    ("/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[2]/input", "password"),
    (
        "/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form/div[4]/button[@class='button-orange wide']",
        "",
    ),
    ("//*[@id='container']/div/div/div/form/div[4]/button", ""),
    ("//input[@type='text'][@placeholder='User ID']", "userid"),
    ("//input[@type='password'][@placeholder='Password']", "password"),
    ("//div[@id='container']//button[@type='submit'][text()='Login ']", ""),
];
const STEP_2: [(&str, &str); 6] = [
    ("/html/body/div[1]/div/div[2]/div[1]/div[2]/div/div[2]/form/div[1]/input", "userid"),
    ("//*[@id='container']/div/div/div[2]/form/div[3]/button", ""),
    ("//input[@label='External TOTP'][@inputmode='numeric'][@maxlength='6']", "userid"),
    ("//input[@type='number'][@placeholder='••••••'][@class='su-input-field']", "userid"),
    ("//form[@class='twofa-form']/div[contains(@class,'twofa-value')]/input", "userid"),
    ("//button[@class='button-orange wide'][text()='Continue ']", ""),
];

#[test]
fn rows_11_12_13_15_a_whole_login_in_a_browser() {
    let sim = Sim::start();
    let driver = Driver::start();
    let entry = format!("http://{}/connect/login?v=3&api_key={}", sim.site(), sim.credential("api_key"));
    driver.order("/url", &json!({"url": entry}));
    driver.expect_all(&STEP_1);
    assert!(driver.find("//h2[text()='Login to Kite']").is_some());
    assert_eq!(driver.run("return document.body.innerText.includes('SIMULATION')"), true);

    driver.type_into("userid", &format!("{}{ENTER}", sim.credential("user_id")));
    driver.until("document.querySelectorAll('span.su-message')[1].textContent !== ''");
    assert_eq!(sim.seen()["password_submissions"], 0);
    driver.type_into("password", &format!("wrong{ENTER}"));
    driver.until("document.querySelector('p.error')");
    driver.run("document.getElementById('password').value = ''");
    driver.type_into("password", &format!("{}{ENTER}", sim.credential("password")));
    driver.until("document.querySelector('form.twofa-form')");
    driver.expect_all(&STEP_2);
    assert!(driver.find("//*[@id='password']").is_none());
    assert_eq!(driver.run("return document.activeElement.id"), "userid");

    driver.type_into("userid", "12345\u{e007}");
    assert_eq!(sim.seen()["code_submissions"], 0);
    driver.run("document.getElementById('userid').value = ''");
    let code = sim.code(0);
    driver.type_into("userid", &sim.code(9));
    driver.until("document.querySelector('p.error')");
    assert_eq!(driver.run("return document.getElementById('userid').value"), "");
    driver.type_into("userid", &code);
    assert!((0..10_000).any(|_| driver.url().contains("request_token=")));
    let registered = sim.announced["redirect"].as_str().unwrap();
    assert!(driver.url().starts_with(registered), "{}", driver.url());
    let seen = sim.seen();
    assert_eq!((&seen["password_submissions"], &seen["code_submissions"]), (&json!(2), &json!(2)));
    assert_eq!(seen["finishes"], 1);
}

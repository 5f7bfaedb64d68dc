//! Browser scripts in the style of each generation, and the traps that public scripts are known to need honoured.

use serde_json::json;

use crate::support::Sim;
use crate::support::driver::{Driver, ENTER};

/// A simulation with one generation of the page, and a browser.
fn stage(page: &str) -> (Sim, Driver) {
    (Sim::under(&json!({"settings": {"page": page}})), Driver::start())
}

/// The first step with ids, and its submit button found as the first button of the document.
fn first_step(sim: &Sim, driver: &Driver) {
    driver.keys(&driver.css("#userid"), sim.credential("user_id"));
    driver.keys(&driver.css("#password"), sim.credential("password"));
    driver.click(&driver.first("tag name", "button"));
}

fn landed(sim: &Sim, driver: &Driver) {
    driver.until_at("request_token=");
    let registered = sim.announced["redirect"].as_str().expect("it is announced");
    assert!(driver.url().starts_with(registered), "{}", driver.url());
    driver.until("document.readyState === 'complete'");
    assert_eq!(driver.run("return document.title"), "Simulated landing page");
}

#[test]
fn row_14_generation_a_asks_two_questions() {
    let (sim, driver) = stage("A");
    driver.open_connect(&sim);
    driver.keys(&driver.css("#userid"), sim.credential("user_id"));
    driver.keys(&driver.css("#password"), sim.credential("password"));
    driver.click(&driver.css("[name=login]"));
    driver.until("document.querySelector('[name=twofa]')");
    let answers = [("colour", "orange"), ("city", "bengaluru")];
    for (class, field) in [("first", "answer1"), ("second", "answer2")] {
        let script = format!("return document.getElementsByClassName('{class}')[0].textContent");
        let question = driver.run(&script).to_string();
        let (_, answer) = answers.iter().find(|(word, _)| question.contains(word)).expect("a known question");
        driver.keys(&driver.css(&format!("[name={field}]")), answer);
    }
    driver.click(&driver.css("button[name=twofa]"));
    landed(&sim, &driver);
}

#[test]
fn row_14_generation_a_counts_wrong_answers() {
    let (sim, driver) = stage("A");
    driver.open_connect(&sim);
    first_step(&sim, &driver);
    driver.until("document.querySelector('[name=answer2]')");
    driver.keys(&driver.css("[name=answer1]"), "blue");
    driver.keys(&driver.css("[name=answer2]"), &format!("bengaluru{ENTER}"));
    driver.until("document.querySelector('p.error')");
    assert_eq!(driver.value(&driver.css("[name=answer1]")), "");
    assert_eq!(sim.seen()["wrong_codes"], 1);
}

#[test]
fn row_14_generation_b_takes_a_pin_by_a_click() {
    let (sim, driver) = stage("B");
    driver.open_connect(&sim);
    let button = "#container > div > div > div.login-form > form > div.actions > button";
    driver.keys(&driver.css("input[type=text]"), sim.credential("user_id"));
    driver.keys(&driver.css("input[type=password]"), sim.credential("password"));
    driver.click(&driver.css(button));
    driver.until("document.querySelector('#pin')");
    let form = "/html/body/div[1]/div/div[2]/div[1]/div/div/div[2]/form";
    let pin = driver.css("#pin");
    for way in [format!("{form}/div[2]/div/input"), "//input[@type='password']".to_owned()] {
        assert_eq!(driver.find(&way).as_ref(), Some(&pin), "{way}");
    }
    assert!(driver.find("//div[@class=\"login-form\"]//form").is_some());
    assert!(driver.find("//input[@type='submit']").is_some());
    driver.keys(&pin, "271828");
    assert_eq!(driver.value(&pin), "271828");
    assert_eq!(sim.seen()["code_submissions"], 0);
    assert_eq!(driver.find(&format!("{form}/div[3]/button")), Some(driver.css(button)));
    driver.click(&driver.css(".button-orange"));
    landed(&sim, &driver);
}

#[test]
fn row_14_generation_b_by_an_input_of_type_submit_to_the_dashboard() {
    let (sim, driver) = stage("B");
    driver.open(&format!("http://{}/", sim.site()));
    driver.keys(&driver.css("[placeholder='User ID']"), sim.credential("user_id"));
    driver.keys(&driver.css("[placeholder='Password']"), sim.credential("password"));
    driver.click(&driver.first("xpath", "//input[@type='submit']"));
    driver.until("document.querySelector('#pin')");
    driver.keys(&driver.first("xpath", "//input[@type='password']"), "271828");
    driver.click(&driver.first("xpath", "//input[@type='submit']"));
    driver.until_at("/dashboard");
    driver.until("document.getElementsByClassName('navbar-links').length === 1");
}

#[test]
fn row_14_generation_c_waits_for_the_click_and_keeps_what_was_typed() {
    let (sim, driver) = stage("C");
    driver.open_connect(&sim);
    // One script spins until each value is what it typed; nothing may be changed or sent before the click.
    for (id, name) in [("#userid", "user_id"), ("#password", "password")] {
        let field = driver.css(id);
        driver.keys(&field, sim.credential(name));
        assert_eq!(driver.value(&field), sim.credential(name));
    }
    driver.click(&driver.css("button.button-orange.wide"));
    driver.until("document.querySelector('input#totp')");
    let field = driver.find("//*[@id=\"totp\"]").expect("the code field");
    assert_eq!(driver.find("//input[@type='text']").as_ref(), Some(&field));
    driver.keys(&field, &sim.code(0));
    assert_eq!(driver.value(&field), sim.code(0));
    assert_eq!(sim.seen()["code_submissions"], 0);
    driver.click(&driver.first("xpath", "//*[@id=\"container\"]/div/div/div[2]/form/div[3]/button"));
    landed(&sim, &driver);
}

#[test]
fn row_14_generation_c_by_enter_and_slow_typing() {
    let (sim, driver) = stage("C");
    driver.open_connect(&sim);
    driver.click(&driver.css("input[type=text]"));
    driver.type_slowly(sim.credential("user_id"), 50);
    driver.click(&driver.css("input[type=password]"));
    driver.type_slowly(&format!("{}{ENTER}", sim.credential("password")), 50);
    driver.until("document.querySelector('#totp')");
    driver.click(&driver.css("input[type=text]"));
    driver.type_slowly(&format!("{}{ENTER}", sim.code(0)), 50);
    landed(&sim, &driver);
}

#[test]
fn rows_11_14_the_submit_button_is_the_first_button_of_every_page() {
    let driver = Driver::start();
    for page in ["A", "B", "C", "D"] {
        let sim = Sim::under(&json!({"settings": {"page": page}}));
        driver.open_connect(&sim);
        let first = "return [document.getElementsByTagName('button')[0].className, \
            document.getElementsByTagName('button')[0].type].join()";
        assert_eq!(driver.run(first), "button-orange wide,submit", "{page}");
        first_step(&sim, &driver);
        driver.until("!document.querySelector('#password')");
        assert_eq!(driver.run(first), "button-orange wide,submit", "{page}");
    }
}

#[test]
fn row_12_enter_with_an_empty_password_sends_nothing_and_rebuilds_nothing() {
    let (sim, driver) = stage("D");
    driver.open_connect(&sim);
    let (user, password) = (driver.css("#userid"), driver.css("#password"));
    driver.keys(&user, &format!("{}{ENTER}", sim.credential("user_id")));
    driver.until("document.querySelectorAll('span.su-message')[1].textContent !== ''");
    let seen = sim.seen();
    assert_eq!((&seen["password_submissions"], &seen["wrong_passwords"]), (&json!(0), &json!(0)));
    assert_eq!(driver.value(&user), sim.credential("user_id"));
    driver.keys(&password, &format!("{}{ENTER}", sim.credential("password")));
    driver.until("document.querySelector('form.twofa-form')");
    driver.keys(&driver.css("#userid"), &sim.code(0));
    landed(&sim, &driver);
}

#[test]
fn row_13_the_password_may_come_before_the_user() {
    let (sim, driver) = stage("D");
    driver.open(&format!("http://{}/", sim.site()));
    let (password, user) = (driver.css("input#password"), driver.css("input#userid"));
    driver.keys(&password, sim.credential("password"));
    driver.keys(&user, sim.credential("user_id"));
    assert_eq!(driver.value(&password), sim.credential("password"));
    driver.click(&driver.css("button[type=submit]"));
    driver.until("document.querySelector('form.twofa-form')");
    driver.keys(&driver.css("div.twofa-value input"), &sim.code(0));
    driver.until_at("/dashboard");
    driver.until("document.querySelector('span.user-id')");
}

#[test]
fn row_13_the_code_field_may_be_cleared_first_and_the_address_read_at_once() {
    let (sim, driver) = stage("D");
    driver.open_connect(&sim);
    first_step(&sim, &driver);
    driver.until("document.querySelector('form.twofa-form')");
    let code = driver.first("xpath", "//input[@type='number']");
    driver.clear(&code);
    assert_eq!(sim.seen()["code_submissions"], 0);
    driver.keys(&code, &sim.code(0));
    // Whichever of the two it is, it is an address and no error.
    let at_once = driver.url();
    assert!(at_once.contains("/connect/login?") || at_once.contains("request_token="), "{at_once}");
    landed(&sim, &driver);
}

#[test]
fn row_13_the_first_step_stays_until_its_reply_has_come() {
    let (sim, driver) = stage("D");
    sim.lever("/faults", &json!({"fault": [{"at": "login", "do": "hold"}]}));
    driver.open_connect(&sim);
    let user = driver.css("#userid");
    first_step(&sim, &driver);
    sim.inspect(crate::support::get("/held?wait=login"));
    assert_eq!(driver.css("#userid"), user);
    sim.lever("/release", &json!({}));
    driver.until("document.querySelector('form.twofa-form')");
    assert_ne!(driver.find("//*[@id='userid']"), Some(user));
}

#[test]
fn row_35_the_positions_page_is_a_login_page() {
    let (sim, driver) = stage("D");
    driver.open(&format!("http://{}/positions/", sim.site()));
    driver.keys(&driver.first("xpath", "//*[@id=\"userid\"]"), sim.credential("user_id"));
    driver.keys(&driver.first("xpath", "//*[@id=\"password\"]"), sim.credential("password"));
    driver.click(&driver.first("xpath", "//*[@id=\"container\"]/div/div/div/form/div[4]/button"));
    driver.until("document.querySelector('form.twofa-form')");
    driver.keys(&driver.first("xpath", "//*[@id=\"userid\"]"), &sim.code(0));
    driver.until_at("/dashboard");
}

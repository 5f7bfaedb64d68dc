//! One engine to be started: all that it needs to know, and nothing else of the configuration.

use serde::{Deserialize, Serialize};

use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::Plan;

use super::cage::CageConfig;
use super::chrome::{ChromeConfig, ChromeDriver};
use super::engine::Engine;
use super::firefox::{FirefoxConfig, FirefoxDriver};
use super::view::broke;
use super::webdriver::{WebDriver, WebDriverConfig};

/// An engine, and the login that it is for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Job {
    pub(super) make: Make,
    /// The plan, as it was written.
    plan: String,
    /// Where it is carried out: at its own origin, or in a rehearsal.
    origin: Origin,
}

/// Which engine, and how it is started.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Make {
    Chrome(ChromeConfig),
    Firefox(FirefoxConfig, CageConfig),
    WebDriver(WebDriverConfig, CageConfig),
}

impl Job {
    pub(super) fn new(make: Make, plan: &Plan) -> Job {
        Job { make, plan: plan.text.clone(), origin: plan.origin.clone() }
    }

    /// The plan, read and checked anew; a secret goes to its own origin, or stays on this machine.
    ///
    /// # Errors
    /// [`Failure::Broken`] where it is no plan, or for another origin.
    pub(super) fn plan(&self) -> Result<Plan, Failure> {
        let plan = Plan::parse(&self.plan).map_err(|_| broke("the login plan cannot be read"))?;
        if self.origin != plan.origin && !self.origin.is_loopback() {
            return Err(broke("the login plan is for another origin"));
        }
        Ok(plan.at(self.origin.clone()))
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`Failure::Broken`] where a part of this machine is missing.
    pub(super) async fn start<'a>(&self, plan: &'a Plan) -> Result<Box<dyn Engine + 'a>, Failure> {
        Ok(match &self.make {
            Make::Chrome(config) => Box::new(ChromeDriver::start(plan, config).await?),
            Make::Firefox(config, cage) => Box::new(FirefoxDriver::start(plan, config, cage).await?),
            Make::WebDriver(config, cage) => Box::new(WebDriver::start(plan, config, cage).await?),
        })
    }
}
